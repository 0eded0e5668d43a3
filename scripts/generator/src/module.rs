//! A module as it was asked for: its names, its fields, who owns a row, and who may read it.
//!
//! Come here to change which modules can be asked for. What is written for one stands in `templates/`.

use crate::field::Field;
use crate::name::ModuleName;
use crate::refusal::{Result, refuse};

/// The table of the users.
pub const USERS: &str = "users";

/// The options of a module, as they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Each row belongs to the user who made it.
    pub owned: bool,
    /// One answer for all callers.
    pub shared: bool,
    /// One answer for each caller.
    pub per_caller: bool,
}

/// A module that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its names.
    pub name: ModuleName,
    /// Its fields, in the order in which they were given, without the owner.
    pub fields: Vec<Field>,
    /// Whether each row has an owner, in the column `owner_id`.
    pub is_owned: bool,
    /// Whether each caller has answers of its own.
    pub is_per_caller: bool,
    /// The arguments that ask for it.
    pub command: String,
}

impl Module {
    /// The module of these arguments, asked for now or written earlier. What is refused only of one that is asked for stands in
    /// `refused`.
    pub fn new(
        plural: &str,
        singular: Option<&str>,
        arguments: &[String],
        options: Options,
    ) -> Result<Self> {
        let name = ModuleName::new(plural, singular)?;
        if options.shared && options.per_caller {
            return refuse("say `--shared` or `--per-caller`, not both");
        }
        let mut fields = Vec::new();
        for argument in arguments {
            fields.push(Field::parse(argument)?);
        }
        if fields.is_empty() {
            return refuse("name at least one field, such as `title:text`");
        }
        for (index, field) in fields.iter().enumerate() {
            if fields[..index]
                .iter()
                .any(|known| known.column == field.column)
            {
                return refuse(format!("the field `{}` stands twice", field.column));
            }
            if field.column == format!("{}_id", name.singular) {
                return refuse(format!(
                    "`{}` is the name of its own id in the path",
                    field.column
                ));
            }
        }
        let is_owned = take_owner(&mut fields)? || options.owned;
        let user = |field: &&Field| field.references() == Some(USERS);
        if let Some(user) = fields.iter().find(user).filter(|_| !is_owned) {
            return refuse(format!(
                "`{}`: a row that refers to a user has an owner; write `owner:references:users`, or add `--owned`",
                user.argument
            ));
        }
        if fields.iter().any(|field| field.column == "owner_id") {
            return refuse("`owner_id` is the owner: write `owner:references:users`");
        }
        if fields.is_empty() {
            return refuse("name at least one field besides the owner, such as `title:text`");
        }
        Ok(Self {
            command: command(&name, arguments, options),
            name,
            fields,
            is_owned,
            is_per_caller: options.per_caller || is_owned && !options.shared,
        })
    }

    /// The tables of other modules that it refers to.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(Field::references)
    }
}

/// Takes the owner out of the fields, and returns whether there was one.
fn take_owner(fields: &mut Vec<Field>) -> Result<bool> {
    let is_owner = |field: &Field| field.column == "owner_id" && field.references() == Some(USERS);
    let Some(index) = fields.iter().position(is_owner) else {
        return Ok(false);
    };
    let owner = fields.remove(index);
    if owner.is_optional || owner.is_unique {
        return refuse(format!(
            "`{}`: every row has an owner, and a user may own several; write `owner:references:users`",
            owner.argument
        ));
    }
    Ok(true)
}

/// The arguments as they would be typed.
fn command(name: &ModuleName, arguments: &[String], options: Options) -> String {
    let mut words = vec![name.plural.clone()];
    words.extend(arguments.iter().cloned());
    for (given, option) in [
        (options.owned, "--owned"),
        (options.shared, "--shared"),
        (options.per_caller, "--per-caller"),
    ] {
        if given {
            words.push(option.to_owned());
        }
    }
    if !name.is_regular() {
        words.push(format!("--singular {}", name.singular));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(line: &str, options: Options) -> Result<Module> {
        let mut words = line.split(' ').map(str::to_owned);
        let name = words.next().expect("a name");
        Module::new(&name, None, &words.collect::<Vec<_>>(), options)
    }

    const NONE: Options = Options {
        owned: false,
        shared: false,
        per_caller: false,
    };

    #[test]
    fn a_field_that_refers_to_the_users_is_the_owner() {
        let notes = module("notes text:text owner:references:users", NONE).expect("a module");
        assert!(notes.is_owned && notes.is_per_caller);
        assert_eq!(notes.fields.len(), 1);
        assert_eq!(
            notes,
            Module {
                command: notes.command.clone(),
                ..module(
                    "notes text:text",
                    Options {
                        owned: true,
                        ..NONE
                    }
                )
                .expect("a module")
            }
        );
    }

    #[test]
    fn answers_are_for_each_caller_where_a_row_has_an_owner_and_shared_otherwise() {
        for (owned, shared, per_caller, wanted) in [
            (false, false, false, false),
            (false, false, true, true),
            (true, false, false, true),
            (true, true, false, false),
        ] {
            let options = Options {
                owned,
                shared,
                per_caller,
            };
            let notes = module("notes text:text", options).expect("a module");
            assert_eq!(notes.is_per_caller, wanted, "{options:?}");
        }
    }

    #[test]
    fn the_command_is_kept_as_it_was_typed() {
        let options = Options {
            owned: true,
            shared: true,
            per_caller: false,
        };
        let notes = module("notes text:text pinned:boolean?", options).expect("a module");
        assert_eq!(
            notes.command,
            "notes text:text pinned:boolean? --owned --shared"
        );
        let people = Module::new("people", Some("person"), &["name:text".to_owned()], NONE);
        assert_eq!(
            people.expect("a module").command,
            "people name:text --singular person"
        );
    }

    #[test]
    fn a_module_that_cannot_be_is_refused() {
        for (line, sentence) in [
            ("notes", "at least one field"),
            ("notes a:text a:date", "`a` stands twice"),
            ("notes note_id:bigint", "its own id"),
            (
                "notes a:text owner_id:bigint",
                "write `owner:references:users`",
            ),
            ("notes owner:references:users", "besides the owner"),
            ("notes a:text author:references:users", "or add `--owned`"),
            (
                "notes owner:references:users owner_id:references:users",
                "`owner_id` stands twice",
            ),
            (
                "notes a:text owner:references:orders",
                "write `owner:references:users`",
            ),
            (
                "notes a:text owner:references:users?",
                "write `owner:references:users`",
            ),
        ] {
            let refusal = module(line, NONE).expect_err(line).0;
            assert!(refusal.contains(sentence), "{line}: {refusal}");
        }
        let both = Options {
            owned: false,
            shared: true,
            per_caller: true,
        };
        assert!(module("notes a:text", both).is_err());
    }
}
