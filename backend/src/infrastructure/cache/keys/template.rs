//! Templates: text with `{name}` placeholders, checked before the program serves a request (C3).
//!
//! Come here to change the rules of templates. The values of placeholders come from `arguments`.

use std::borrow::Cow;

use super::escape::{is_plain, push_escaped};

/// Refuses a template that is malformed or ambiguous.
///
/// Between two placeholders there must be a character that escaping removes from values, or `{a}{b}`
/// would give `1` + `23` and `12` + `3` the same key.
///
/// # Panics
/// With a message that names the fault and the template.
pub(crate) const fn check_template(template: &'static str) {
    let bytes = template.as_bytes();
    if !bytes.is_empty() && bytes[0] == b'~' {
        refuse(
            "a key may not begin with `~`, as the records of the cache do",
            template,
        );
    }
    let mut index = 0;
    let mut follows_placeholder = false;
    let mut separated = false;
    while index < bytes.len() {
        match bytes[index] {
            b'{' => {
                if follows_placeholder && !separated {
                    refuse(
                        "two placeholders need a `:` or another character that values cannot hold between them",
                        template,
                    );
                }
                let start = index + 1;
                index = start;
                while index < bytes.len() && bytes[index] != b'}' {
                    if !matches!(bytes[index], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_') {
                        refuse(
                            "a placeholder's name holds letters, digits and `_` only",
                            template,
                        );
                    }
                    index += 1;
                }
                if index == bytes.len() {
                    refuse("a `{` has no `}`", template);
                }
                if index == start {
                    refuse("a placeholder has no name", template);
                }
                follows_placeholder = true;
                separated = false;
            }
            b'}' => refuse("a `}` has no `{`", template),
            byte if !is_plain(byte) && byte != b'%' => separated = true,
            _ => {}
        }
        index += 1;
    }
}

/// A panic ends the compilation of a constant, or the start of the program.
#[expect(
    clippy::panic,
    reason = "a wrong template is a mistake in the program, found before it serves"
)]
const fn refuse(problem: &'static str, template: &'static str) -> ! {
    let mut message = [0_u8; 256];
    let mut length = 0;
    let parts = ["cache template `", template, "`: ", problem];
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut index = 0;
        while index < bytes.len() && length < message.len() {
            // A character without its last bytes would not be valid text.
            message[length] = if bytes[index].is_ascii() {
                bytes[index]
            } else {
                b'?'
            };
            length += 1;
            index += 1;
        }
        part += 1;
    }
    match core::str::from_utf8(message.split_at(length).0) {
        Ok(message) => panic!("{}", message),
        Err(_) => panic!("{}", problem),
    }
}

/// One piece of a parsed template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplatePart {
    /// Text that every key contains.
    Literal(&'static str),
    /// The name of an argument, which is replaced by its escaped value.
    Placeholder(&'static str),
}

/// A parsed template, ready to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<TemplatePart>);

impl Template {
    /// Parses a template that [`check_template`] has accepted.
    pub(crate) fn parse(template: &'static str) -> Self {
        check_template(template);
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').unwrap_or((after, ""));
            if !literal.is_empty() {
                parts.push(TemplatePart::Literal(literal));
            }
            parts.push(TemplatePart::Placeholder(name));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(TemplatePart::Literal(rest));
        }
        Self(parts)
    }

    /// The pieces of the template, in their order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = TemplatePart> {
        self.0.iter().copied()
    }

    /// The names of the template's placeholders, in order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().filter_map(|part| match part {
            TemplatePart::Placeholder(name) => Some(*name),
            TemplatePart::Literal(_) => None,
        })
    }

    /// Whether the template has a placeholder for the argument.
    pub(crate) fn places(&self, name: &str) -> bool {
        self.placeholders().any(|placed| placed == name)
    }

    /// Appends the template with each placeholder replaced by its escaped `value`.
    ///
    /// # Errors
    /// The name of the first argument that has no value.
    pub(crate) fn push<'a>(
        &self,
        key: &mut String,
        value: impl Fn(&'static str) -> Option<Cow<'a, str>>,
    ) -> Result<(), MissingArgument> {
        let start = key.len();
        for part in &self.0 {
            match part {
                TemplatePart::Literal(literal) => key.push_str(literal),
                TemplatePart::Placeholder(name) => {
                    push_escaped(key, &value(name).ok_or(MissingArgument(name))?);
                }
            }
        }
        escape_beginning(key, start);
        Ok(())
    }

    /// The filled templates of all combinations of `values`: none where an argument has no values. At
    /// most `limit + 1`, so that the caller recognises more than `limit`.
    ///
    /// # Errors
    /// The name of the first argument that is unknown.
    pub(crate) fn expand<'a>(
        &self,
        limit: usize,
        values: impl Fn(&'static str) -> Option<Vec<Cow<'a, str>>>,
    ) -> Result<Vec<String>, MissingArgument> {
        let mut keys = vec![String::new()];
        for part in &self.0 {
            match part {
                TemplatePart::Literal(literal) => {
                    for key in &mut keys {
                        key.push_str(literal);
                    }
                }
                TemplatePart::Placeholder(name) => {
                    let values = values(name).ok_or(MissingArgument(name))?;
                    keys = keys
                        .iter()
                        .flat_map(|key| {
                            values.iter().map(move |value| {
                                let mut key = key.clone();
                                push_escaped(&mut key, value);
                                key
                            })
                        })
                        .take(limit + 1)
                        .collect();
                }
            }
        }
        for key in &mut keys {
            escape_beginning(key, 0);
        }
        Ok(keys)
    }
}

/// Encodes a `~` at the beginning of a filled template. The cache's own records have keys that begin
/// with `~`, and no value may produce such a key.
fn escape_beginning(key: &mut String, start: usize) {
    if key.as_bytes().get(start) == Some(&b'~') {
        key.replace_range(start..=start, "%7E");
    }
}

/// A placeholder for which the request has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissingArgument(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fill(template: &'static str, values: &[(&str, &str)]) -> Result<String, MissingArgument> {
        let mut key = String::new();
        Template::parse(template)
            .push(&mut key, |name| {
                values
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| Cow::Borrowed(*value))
            })
            .map(|()| key)
    }

    #[test]
    fn c02_placeholders_are_replaced_by_the_arguments_of_their_names() {
        let values = [
            ("username", "johndoe"),
            ("page", "1"),
            ("items_per_page", "10"),
        ];
        assert_eq!(
            fill(
                "user_{username}_widgets:page_{page}:size_{items_per_page}",
                &values
            )
            .unwrap(),
            "user_johndoe_widgets:page_1:size_10"
        );
    }

    #[test]
    fn c06_a_missing_argument_is_named() {
        assert_eq!(
            fill("user_{username}", &[]),
            Err(MissingArgument("username"))
        );
    }

    #[test]
    fn c03_malformed_and_ambiguous_templates_are_refused_with_their_name() {
        for template in [
            "widget_{id",
            "widget_{}",
            "widget_}id",
            "{a}{b}",
            "{a}_{b}",
            "{a}-x.{b}",
            "{a b}",
            "{{a}}",
            "{a}%{b}",
            "~group:{a}",
        ] {
            let panic = std::panic::catch_unwind(|| check_template(template)).unwrap_err();
            let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(message.contains(template), "{template}: {message}");
        }
    }

    #[test]
    fn c04_no_value_makes_a_key_that_of_a_record_of_the_cache() {
        let values = [("a", "~group:x"), ("b", ""), ("c", "%7Egroup")];
        assert_eq!(fill("{a}:y", &values).unwrap(), "%7Egroup%3Ax:y");
        assert_eq!(fill("{b}~group", &values).unwrap(), "%7Egroup");
        assert_eq!(fill("{c}", &values).unwrap(), "%257Egroup");
        assert_eq!(fill("x_{a}", &values).unwrap(), "x_~group%3Ax");
        let expanded = Template::parse("{a}:*").expand(10, |_| Some(vec![Cow::Borrowed("~g")]));
        assert_eq!(expanded, Ok(vec!["%7Eg:*".to_owned()]));
    }

    #[test]
    fn c03_separated_placeholders_are_accepted() {
        for template in ["widget", "{a}:{b}", "x_{a}_y:{b}_z", "{a}/{b}", "a*{b}", ""] {
            check_template(template);
        }
    }

    #[test]
    fn c02_an_argument_bound_twice_gives_a_key_for_each_value() {
        let keys = Template::parse("user_{a}:{b}").expand(10, |name| match name {
            "a" => Some(vec![Cow::Borrowed("1"), Cow::Borrowed("2")]),
            _ => Some(vec![Cow::Borrowed("x:y")]),
        });
        assert_eq!(
            keys,
            Ok(vec!["user_1:x%3Ay".to_owned(), "user_2:x%3Ay".to_owned()])
        );
    }

    #[test]
    fn c02_an_argument_that_was_bound_to_nothing_gives_no_key_and_an_unknown_one_is_named() {
        let template = Template::parse("user_{a}");
        assert_eq!(template.expand(10, |_| Some(Vec::new())), Ok(Vec::new()));
        assert_eq!(template.expand(10, |_| None), Err(MissingArgument("a")));
    }

    proptest! {
        #[test]
        fn c04_different_arguments_never_give_the_same_key(
            a in any::<(String, String)>(), b in any::<(String, String)>(),
        ) {
            let key = |(first, second): &(String, String)| fill("u_{x}_w:p_{y}", &[("x", first), ("y", second)]);
            prop_assert_eq!(a == b, key(&a) == key(&b));
        }

        #[test]
        fn c03_checking_any_text_either_passes_or_names_the_problem(text in "[a-z{}:_%]{0,12}") {
            let text: &'static str = Box::leak(text.into_boxed_str());
            if let Err(panic) = std::panic::catch_unwind(|| check_template(text)) {
                prop_assert!(panic.downcast_ref::<String>().is_some_and(|message| message.contains(text)));
            }
        }
    }
}
