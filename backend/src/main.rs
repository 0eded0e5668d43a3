//! The command line.
//!
//! Come here to add a command. The work of a command is in `startup`.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use backend::PROGRAM;
use backend::infrastructure::database::{MigrationPlan, MigrationTarget};
use backend::infrastructure::settings::{self, Environment, Settings};
use backend::interfaces;
use backend::modules::users::UserCreate;
use backend::startup::{self, Finding, ShownEntry, Signals};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use garde::Validate;
use mimalloc::MiMalloc;
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A service behind a response cache. Settings come from the environment and `.env`; see
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
    /// Bring the tables up to date, or to one migration
    Migrate {
        /// Apply and take back until N is the last applied migration; 0 takes all back
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        to: Option<i64>,
        /// Take the last applied migration back
        #[arg(long, conflicts_with = "to")]
        down: bool,
        /// Take migrations back in production too, where that deletes data
        #[arg(long)]
        yes: bool,
    },
    /// Check settings, database, cache servers, clocks and declarations; one line each with what to do
    Check,
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
    /// Print every route with its caller, its cache key, its expiration and what it invalidates
    Routes {
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Look into the cache
    Cache {
        #[command(subcommand)]
        command: CacheCommand,
    },
    /// Print the completions of a shell, for its configuration: source <(backend completions bash)
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the description of the API as an `OpenAPI` document
    Openapi,
    /// Print every setting that counts and where it comes from; secrets are shown as ***
    Settings {
        /// Print the value of one variable and nothing else, a secret too
        #[arg(long, value_name = "NAME")]
        get: Option<String>,
        /// Print the content of .env.example instead
        #[arg(long, conflicts_with_all = ["get", "document"])]
        example: bool,
        /// Print the content of docs/settings.md instead
        #[arg(long, conflicts_with = "get")]
        document: bool,
    },
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// Print an entry: whether it is an answer, age, time to live, group, headers and body
    Show {
        /// The key as `Cache-Status` shows it, without `CACHE_NAMESPACE`: widget:42
        key: String,
        /// Print the body and nothing else, byte for byte
        #[arg(long)]
        body: bool,
        /// One of `CACHE_EXTRA_BACKENDS`
        #[arg(long, value_name = "NAME")]
        backend: Option<String>,
    },
}

#[actix_web::main]
async fn main() -> ExitCode {
    match handle_signals_and_run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command. The signals are handled before anything else. Otherwise the program, as process 1 of a container,
/// would not end at them.
async fn handle_signals_and_run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut signals = Signals::handle()?;
    let command = CommandLine::parse().command.unwrap_or(Command::Serve);
    if let Command::Serve = command {
        startup::serve(Settings::load(PROGRAM)?, &mut signals).await?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::select! {
        biased;
        stop = signals.next() => Ok(stop.exit_code().into()),
        outcome = run(command) => outcome,
    }
}

async fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    // These commands describe the settings, so they do not need valid ones.
    match command {
        Command::Settings { example: true, .. } => {
            io::stdout().write_all(settings::example().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Settings { document: true, .. } => {
            io::stdout().write_all(settings::document().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Routes { json } => return print_routes(json).map(|()| ExitCode::SUCCESS),
        Command::Openapi => {
            let document = serde_json::to_string_pretty(&interfaces::openapi_document())?;
            writeln!(io::stdout(), "{document}")?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            let mut commands = CommandLine::command();
            let program = commands.get_name().to_owned();
            clap_complete::generate(shell, &mut commands, program, &mut script);
            io::stdout().write_all(&script)?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Check => return with_progress("checking", print_check()).await,
        _ => {}
    }
    let settings = Settings::load(PROGRAM)?;
    match command {
        Command::Settings { get: None, .. } => {
            for warning in &settings.warnings {
                eprintln!("warning: {warning}");
            }
            io::stdout().write_all(settings.listing().as_bytes())?;
        }
        Command::Settings {
            get: Some(name), ..
        } => {
            let value = settings.get(&name).ok_or_else(|| {
                format!("{name} is not a variable of this service; docs/settings.md lists them all")
            })?;
            writeln!(io::stdout(), "{value}")?;
        }
        // Handled above: these commands end by themselves at a signal, or need no settings.
        Command::Serve
        | Command::Openapi
        | Command::Routes { .. }
        | Command::Completions { .. }
        | Command::Check => {}
        Command::Migrate {
            to: None,
            down: false,
            ..
        } => with_progress("migrating", startup::migrate(&settings.database)).await?,
        Command::Migrate { to, yes, .. } => {
            let target = to.map_or(MigrationTarget::Previous, MigrationTarget::Number);
            migrate_to(&settings, target, yes).await?;
        }
        Command::Cache {
            command: CacheCommand::Show { key, body, backend },
        } => {
            let shown = ShownEntry::read(&settings.cache, backend.as_deref(), &key).await?;
            let mut output = io::stdout();
            if body {
                output.write_all(shown.body())?;
            } else if output.is_terminal() {
                writeln!(output, "{}", shown.for_terminal())?;
            } else {
                output.write_all(shown.head().as_bytes())?;
                output.write_all(shown.body())?;
                writeln!(output)?;
            }
        }
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
    Ok(ExitCode::SUCCESS)
}

/// Prints the steps to the target, and takes them.
async fn migrate_to(
    settings: &Settings,
    target: MigrationTarget,
    is_confirmed: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let plan = MigrationPlan::new(&settings.database, target).await?;
    io::stdout().write_all(plan.to_string().as_bytes())?;
    let is_production = settings.server.environment == Environment::Production;
    if plan.takes_back() && is_production && !is_confirmed {
        return Err(
            "nothing was done: ENVIRONMENT=production, and data would be deleted. Make a backup, stop the instances that \
             need these tables, and repeat the command with --yes"
                .into(),
        );
    }
    with_progress("migrating", plan.run()).await?;
    Ok(())
}

/// Reports a long step on standard error: after two seconds, and every ten seconds from then on.
async fn with_progress<T>(doing: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let mut work = pin!(work);
    let mut wait = Duration::from_secs(2);
    loop {
        if let Ok(outcome) = timeout(wait, work.as_mut()).await {
            return outcome;
        }
        eprintln!("{doing} for {} s", begun.elapsed().as_secs());
        wait = Duration::from_secs(10);
    }
}

/// Prints a line for each finding. The exit code is 1 where one of them keeps the service from working.
async fn print_check() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let findings = startup::check(Settings::load(PROGRAM)).await;
    for finding in &findings {
        writeln!(io::stdout(), "{finding}")?;
    }
    let has_failed = findings.iter().any(Finding::has_failed);
    Ok(if has_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Prints the map to standard output even if it has mistakes, which are then the error.
fn print_routes(json: bool) -> Result<(), Box<dyn std::error::Error>> {
    let map = interfaces::map();
    let text = if json {
        serde_json::to_string_pretty(&map.rows())? + "\n"
    } else {
        map.table()
    };
    io::stdout().write_all(text.as_bytes())?;
    match map.mistakes(None) {
        mistakes if mistakes.is_empty() => Ok(()),
        mistakes => Err(mistakes.join("\n").into()),
    }
}

/// Reads a password from the terminal without showing it.
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
