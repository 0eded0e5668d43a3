//! What is refused of a module that is asked for: a field that reads like its owner, and two types of one name.
//!
//! Come here to refuse another module. `module` reads what was written earlier too: a refusal there stops every command in a project that
//! has such a module.

use crate::field::{Field, Kind};
use crate::module::Module;
use crate::name::camel_case;
use crate::refusal::{Result, refuse};

/// Types that a module uses beside its own.
const TYPES: &[&str] = &[
    "ApiCreated",
    "ApiJson",
    "ApiNoContent",
    "ApiPage",
    "ApiResult",
    "Box",
    "Caller",
    "Content",
    "Database",
    "DateTime",
    "Default",
    "Deserialize",
    "Filter",
    "ItemsPerPage",
    "Json",
    "JsonSchema",
    "NaiveDate",
    "Option",
    "PageNumber",
    "PageQuery",
    "PathId",
    "Query",
    "Result",
    "SecurityContext",
    "SecurityEvent",
    "Serialize",
    "String",
    "Utc",
    "Uuid",
    "Validate",
    "Vec",
];

/// Refuses a module that would be written, and would not build or would mislead its reader.
pub fn check(module: &Module) -> Result<()> {
    check_owner(module)?;
    check_types(module)
}

/// Beside `owner_id` a field `owner` would read as the owner, and say something else.
fn check_owner(module: &Module) -> Result<()> {
    let mut fields = module.fields.iter();
    match fields.find(|field| module.is_owned && field.column == "owner") {
        Some(field) => refuse(format!(
            "`{}`: the owner is the user who makes it, in the field `owner_id`; leave this field out, or choose another name",
            field.argument
        )),
        None => Ok(()),
    }
}

/// Each name has one meaning in the files of the module.
fn check_types(module: &Module) -> Result<()> {
    let types = types_of(module);
    for (index, name) in types.iter().enumerate() {
        if TYPES.contains(&name.as_str()) {
            return refuse(format!(
                "`{name}` is the name of a type that modules use: choose another name"
            ));
        }
        if types[..index].contains(name) {
            return refuse(format!(
                "`{name}` would be two types of the module: choose another name for the field"
            ));
        }
    }
    Ok(())
}

/// The types that the module declares.
fn types_of(module: &Module) -> Vec<String> {
    let own = module.name.type_name();
    let mut types = vec![own.clone(), format!("{own}Content")];
    if module.fields.iter().any(Field::is_filter) {
        types.push(format!("{own}Query"));
    }
    for field in &module.fields {
        if matches!(field.kind, Kind::Enum(_)) {
            types.push(format!("{own}{}", camel_case(&field.column)));
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::module_of;
    use crate::render::files;

    #[test]
    fn a_field_named_like_the_owner_is_refused_beside_an_owner_only() {
        for line in [
            "notes owner:text --owned",
            "notes a:text owner:text? --owned",
            "notes owner:uuid! a:text --owned --shared",
            "notes owner:enum:a,b owner:references:users",
        ] {
            let refusal = check(&module_of(line).expect(line)).expect_err(line).0;
            assert!(refusal.contains("the owner is the user"), "{refusal}");
            assert!(!refusal.contains('\n'), "{refusal}");
        }
        for line in [
            "notes owner:text",
            "notes owner:enum:a,b --per-caller",
            // The owner named twice in one sense, and a second user beside the owner.
            "notes a:text owner:references:users --owned",
            "notes a:text owner_id:references:users --owned",
            "notes a:text author:references:users --owned",
        ] {
            check(&module_of(line).expect(line)).expect(line);
        }
    }

    #[test]
    fn a_module_whose_types_would_hide_others_is_refused() {
        for line in [
            "strings a:text",
            "options a:text",
            "databases a:text",
            "queries a:text",
            "security_events a:text",
            "deserializes a:text",
            "pages a:boolean",
            "apis json:enum:a,b --singular api",
            "notes content:enum:a,b",
            "notes query:enum:a,b?",
        ] {
            let refusal = check(&module_of(line).expect(line)).expect_err(line).0;
            assert!(refusal.contains("choose another name"), "{refusal}");
        }
        for line in [
            "cores a:text",
            "pages a:text",
            "notes content:text query:boolean",
        ] {
            check(&module_of(line).expect(line)).expect(line);
        }
    }

    #[test]
    fn every_type_that_a_written_module_imports_is_known() {
        for line in [
            "notes a:text",
            "notes a:text b:boolean c:date d:uuid e:timestamp f:enum:x,y --owned",
            "notes a:text b:boolean --owned --shared",
        ] {
            let module = module_of(line).expect(line);
            let own = types_of(&module);
            for (path, text) in files(&module, 9000, &[]).expect(line) {
                // Those of the other files do not see the types of the module.
                if !path.ends_with("/schemas.rs") && !path.ends_with("/routes.rs") {
                    continue;
                }
                let imports = text.split("\nuse ").skip(1).flat_map(|import| {
                    let import = import.split(';').next().unwrap_or_default();
                    import.split(|letter: char| !letter.is_ascii_alphanumeric())
                });
                let types = imports
                    .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()));
                let mut found = 0;
                for name in types.filter(|name| !own.iter().any(|own| own == name)) {
                    assert!(TYPES.contains(&name), "{path}: {name}");
                    found += 1;
                }
                assert!(found > 3, "{path}: the imports were found");
            }
        }
    }
}
