//! The end of a reply of a cache server, for faults of single replies.
//!
//! Come here when a proxy has to drop or to change one reply. It is no client: it understands only as much
//! of the protocols of Redis and Memcached as that needs.

/// The length of the first reply; `None` if the bytes do not begin with a whole one.
pub fn first_reply(bytes: &[u8]) -> Option<usize> {
    let end = line_end(bytes)?;
    let line = std::str::from_utf8(&bytes[..end - 2]).ok()?;
    match bytes.first()? {
        b'+' | b'-' | b':' | b'_' | b'#' | b',' => Some(end),
        b'$' => match line[1..].parse::<usize>() {
            Ok(length) => whole(bytes, end + length + 2),
            Err(_) => Some(end),
        },
        b'*' | b'~' | b'>' => collection(bytes, end, line[1..].parse().unwrap_or(0)),
        b'%' => collection(bytes, end, line[1..].parse::<usize>().ok()? * 2),
        _ if line.starts_with("VA ") => {
            let length: usize = line.split(' ').nth(1)?.parse().ok()?;
            whole(bytes, end + length + 2)
        }
        _ => Some(end),
    }
}

/// The number of whole replies in these bytes.
pub fn replies(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some(length) = first_reply(bytes) {
        bytes = &bytes[length..];
        count += 1;
    }
    count
}

/// The number of bytes before the first command with this word. Commands of Redis have the form of its replies.
pub fn before(commands: &[u8], word: &str) -> Option<usize> {
    let mut begin = 0;
    while let Some(length) = first_reply(&commands[begin..]) {
        let command = &commands[begin..begin + length];
        if command
            .windows(word.len())
            .any(|part| part == word.as_bytes())
        {
            return Some(begin);
        }
        begin += length;
    }
    None
}

fn collection(bytes: &[u8], begin: usize, members: usize) -> Option<usize> {
    (0..members).try_fold(begin, |end, _| Some(end + first_reply(&bytes[end..])?))
}

fn whole(bytes: &[u8], length: usize) -> Option<usize> {
    (bytes.len() >= length).then_some(length)
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some(end + 2)
}

#[test]
fn a_reply_ends_where_its_protocol_says() {
    let replies: [&[u8]; 8] = [
        b"+OK\r\n",
        b":12\r\n",
        b"$-1\r\n",
        b"$3\r\na\r\n\r\n",
        b"*2\r\n:1\r\n$1\r\nx\r\n",
        b"HD c5 O1\r\n",
        b"EN O2\r\n",
        b"VA 2 c5 O1\r\nxy\r\n",
    ];
    for reply in replies {
        let more = [reply, b"+OK\r\n"].concat();
        assert_eq!(first_reply(&more), Some(reply.len()), "{reply:?}");
        assert_eq!(first_reply(&reply[..reply.len() - 1]), None, "{reply:?}");
    }
}
