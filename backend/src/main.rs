//! The command line.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use backend::infrastructure::settings::Settings;
use backend::modules::users::UserCreate;
use backend::startup;
use clap::{Parser, Subcommand};
use garde::Validate;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Widgets and users behind a response cache. Settings come from the environment and `.env`; see
/// `.env.example`.
#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default)
    Serve,
    /// Bring the tables up to date
    Migrate,
    /// Create a superuser; the password is asked for
    CreateSuperuser {
        /// 2 to 32 of a-z, 0-9 and `_`
        #[arg(long)]
        username: String,
        /// The e-mail address
        #[arg(long)]
        email: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
}

#[actix_web::main]
async fn main() -> ExitCode {
    match run(CommandLine::parse().command.unwrap_or(Command::Serve)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::load()?;
    match command {
        Command::Serve => startup::serve(settings).await?,
        Command::Migrate => startup::migrate(&settings.database).await?,
        Command::CreateSuperuser {
            username,
            email,
            password_stdin,
        } => {
            let password = read_password(password_stdin)?;
            let new = UserCreate {
                name: username.clone(),
                username,
                email: email.to_lowercase(),
                password: password.into(),
            };
            new.validate()?;
            let username = new.username.clone();
            if startup::create_superuser(&settings.database, new).await? {
                println!("created the superuser {username}");
            } else {
                println!("there is a superuser {username} already");
            }
        }
    }
    Ok(())
}

/// Asks on a terminal, without showing what is typed.
fn read_password(from_stdin: bool) -> Result<String, Box<dyn std::error::Error>> {
    if from_stdin {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    if !io::stdin().is_terminal() {
        return Err("there is no terminal to ask for the password: use --password-stdin".into());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Again: ")? == password {
        Ok(password)
    } else {
        Err("the two differ".into())
    }
}
