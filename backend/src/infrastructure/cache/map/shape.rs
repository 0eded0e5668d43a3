//! The shape of a key: all texts that a template can give, without any values.
//!
//! Come here to change when two templates are the same, may give the same key, or match a glob. The templates are listed by
//! `stored`.

use std::collections::HashSet;

use crate::keys::{self, CALLER, Template, TemplatePart, is_plain};

/// One piece of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// This byte.
    Byte(u8),
    /// The value of an argument: one or more bytes that escaping leaves (C4).
    Argument(&'a str),
    /// Any one byte; of globs only.
    One,
    /// Any bytes or none: `*` of a glob, and the variants behind a key.
    Any,
}

/// All texts that a template can give, as a sequence of pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape<'a>(Vec<Token<'a>>);

/// Whether an argument of that name holds an id, which a name or a text is not. The caller is an id.
pub(super) fn is_id(name: &str) -> bool {
    name == CALLER || keys::is_id(name)
}

impl<'a> Shape<'a> {
    /// The shape of a template.
    pub(super) fn of(template: &'static str) -> Self {
        let mut tokens = Vec::new();
        for part in Template::parse(template).parts() {
            match part {
                TemplatePart::Literal(text) => tokens.extend(text.bytes().map(Token::Byte)),
                TemplatePart::Placeholder(name) => tokens.push(Token::Argument(name)),
            }
        }
        Self(tokens)
    }

    /// The shape of a Redis glob with placeholders.
    pub(super) fn of_glob(pattern: &'static str) -> Self {
        let mut tokens = Vec::new();
        for part in Template::parse(pattern).parts() {
            match part {
                TemplatePart::Literal(text) => push_glob(&mut tokens, text),
                TemplatePart::Placeholder(name) => tokens.push(Token::Argument(name)),
            }
        }
        Self(tokens)
    }

    /// The shape of the key with this prefix and an argument as its id.
    pub(super) fn with_argument(mut self, name: &'a str) -> Self {
        self.0.extend([Token::Byte(b':'), Token::Argument(name)]);
        self
    }

    /// The shape of the key with this prefix and a literal id.
    pub(super) fn with_literal(mut self, id: &str) -> Self {
        self.0.push(Token::Byte(b':'));
        self.0.extend(id.bytes().map(Token::Byte));
        self
    }

    /// The shape of the key with its variants behind it.
    pub(super) fn with_variants(mut self) -> Self {
        self.0.push(Token::Any);
        self
    }

    /// The pairs of arguments that stand in the same places, if the shapes are the same but for the arguments' names.
    pub(super) fn paired<'b>(&self, other: &Shape<'b>) -> Option<Vec<(&'a str, &'b str)>> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let mut pairs = Vec::new();
        for tokens in self.0.iter().zip(&other.0) {
            match tokens {
                (Token::Argument(own), Token::Argument(theirs)) => pairs.push((*own, *theirs)),
                (Token::Byte(own), Token::Byte(theirs)) if own == theirs => {}
                _ => return None,
            }
        }
        Some(pairs)
    }

    /// Whether some key has both shapes.
    pub(super) fn overlaps(&self, other: &Shape<'_>) -> bool {
        Meeting::new(&self.0, &other.0, false).is_possible()
    }

    /// Whether a glob of this shape can match a key of the other shape, with arguments of the same kind in the same places.
    pub(super) fn can_match(&self, key: &Shape<'_>) -> bool {
        Meeting::new(&self.0, &key.0, true).is_possible()
    }
}

fn push_glob(tokens: &mut Vec<Token<'_>>, text: &str) {
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        tokens.push(match byte {
            b'*' => Token::Any,
            b'?' => Token::One,
            b'\\' => Token::Byte(bytes.next().unwrap_or(b'\\')),
            b'[' => {
                // The bytes of a class do not matter here.
                for in_class in bytes.by_ref() {
                    if in_class == b']' {
                        break;
                    }
                }
                Token::One
            }
            byte => Token::Byte(byte),
        });
    }
}

/// A position in both shapes, and whether the argument on the right has been read in part. The rest of a value is no
/// argument.
type Position = (usize, usize, bool);

/// Two shapes, for the search for a text that has both.
struct Meeting<'a> {
    left: &'a [Token<'a>],
    right: &'a [Token<'a>],
    /// An argument meets an argument of its kind, and nothing else.
    arguments_match_arguments: bool,
    /// The positions that have been tried.
    tried: HashSet<Position>,
}

impl<'a> Meeting<'a> {
    fn new(left: &'a [Token<'a>], right: &'a [Token<'a>], arguments_match_arguments: bool) -> Self {
        Self {
            left,
            right,
            arguments_match_arguments,
            tried: HashSet::new(),
        }
    }

    fn is_possible(&mut self) -> bool {
        let mut open = vec![(0, 0, false)];
        while let Some((left, right, in_part)) = open.pop() {
            if left == self.left.len() && right == self.right.len() {
                return true;
            }
            if self.tried.insert((left, right, in_part)) {
                self.advance((left, right, in_part), &mut open);
            }
        }
        false
    }

    /// The positions that one more byte, or the end of a token, leads to.
    fn advance(&self, (left, right, in_part): Position, open: &mut Vec<Position>) {
        let (own, other) = (self.left.get(left), self.right.get(right));
        if own == Some(&Token::Any) {
            open.push((left + 1, right, in_part));
        }
        if other == Some(&Token::Any) {
            open.push((left, right + 1, false));
        }
        let (Some(own), Some(other)) = (own, other) else {
            return;
        };
        if let (Token::Argument(own), Token::Argument(other)) = (own, other)
            && self.arguments_match_arguments
        {
            if is_id(own) == is_id(other) && !in_part {
                open.push((left + 1, right + 1, false));
            }
            return;
        }
        if !self.share_a_byte(*own, *other) {
            return;
        }
        // A token that may give several bytes also stays where it is.
        open.push((left + 1, right + 1, false));
        if is_long(*own) {
            open.push((left, right + 1, false));
        }
        if is_long(*other) {
            open.push((left + 1, right, true));
        }
    }

    fn share_a_byte(&self, own: Token<'_>, other: Token<'_>) -> bool {
        match (own, other) {
            (Token::Byte(own), Token::Byte(other)) => own == other,
            // A glob's literal may be a part of a value; a value in a glob is never a part of a key's literal.
            (Token::Argument(_), Token::Byte(_)) if self.arguments_match_arguments => false,
            (Token::Argument(name), Token::Byte(byte))
            | (Token::Byte(byte), Token::Argument(name)) => can_hold(name, byte),
            _ => true,
        }
    }
}

const fn is_long(token: Token<'_>) -> bool {
    matches!(token, Token::Argument(_) | Token::Any)
}

/// Whether a value of that argument can hold the byte. Ids are numbers or UUIDs.
fn can_hold(name: &str, byte: u8) -> bool {
    if is_id(name) {
        byte.is_ascii_hexdigit() || byte == b'-'
    } else {
        is_plain(byte) || byte == b'%'
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefix: &'static str, id: &'static str) -> Shape<'static> {
        Shape::of(prefix).with_argument(id)
    }

    #[test]
    fn c47_shapes_pair_by_place_whatever_the_names() {
        let ours = Shape::of("user_{owner}_widgets");
        assert_eq!(
            ours.paired(&Shape::of("user_{username}_widgets")),
            Some(vec![("owner", "username")])
        );
        assert_eq!(ours.paired(&Shape::of("user_{username}_widget")), None);
        assert_eq!(ours.paired(&Shape::of("user_all_widgets")), None);
    }

    #[test]
    fn c47_keys_overlap_where_one_text_has_both_shapes() {
        for (first, second, expected) in [
            (key("note", "note_id"), key("note", "other_id"), true),
            (key("note", "note_id"), key("notes", "note_id"), false),
            (
                key("user", "username"),
                Shape::of("user").with_literal("count"),
                true,
            ),
            (
                key("note", "note_id"),
                Shape::of("note").with_literal("count"),
                false,
            ),
            (
                key("list_{a}", "b"),
                key("list_{a}:page_{page}", "b"),
                false,
            ),
        ] {
            assert_eq!(first.overlaps(&second), expected, "{first:?} {second:?}");
            assert_eq!(second.overlaps(&first), expected, "{second:?} {first:?}");
        }
    }

    #[test]
    fn c47_a_glob_matches_the_keys_that_it_could_delete() {
        let list = key("user_{username}_widgets:page_{page}", "username").with_variants();
        for (glob, expected) in [
            ("user_{owner}_widgets:*", true),
            ("user_{owner_id}_widgets:*", false),
            ("user_*", true),
            ("user_ada_widgets:*", true),
            ("user_{owner}_widget:*", false),
            ("user_{owner}_widgets", false),
            ("user_?{owner}_widgets:*", false),
            ("user_[ab]*:page_1:*", true),
            ("\\user_*", true),
            ("\\*user_*", false),
        ] {
            assert_eq!(Shape::of_glob(glob).can_match(&list), expected, "{glob}");
        }
    }
}
