//! Templates: text with `{name}` placeholders, checked before the program serves anything (C3).

/// Whether escaping (C4) leaves this byte as it is.
pub(super) const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'~' | b'@' | b'+')
}

/// Refuses a template that is malformed or ambiguous.
///
/// Between two placeholders there must be a character that escaping removes from values, or
/// `{a}{b}` would give `1` + `23` and `12` + `3` the same key.
///
/// # Panics
/// With a message that says what is wrong and names the template.
pub(super) const fn check_template(template: &'static str) {
    let bytes = template.as_bytes();
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

/// Ends the compilation of a constant, or the start of the program.
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
            // A character cut in two would not be text any more.
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
