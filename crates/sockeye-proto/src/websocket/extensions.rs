//! The list in a `Sec-WebSocket-Extensions` header (RFC 6455 section 9.1). Never judges what it
//! says.

/// One extension that is offered or taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a [u8],
    pub(super) parameters: Vec<Parameter<'a>>,
}

/// A parameter of an extension. A value in quotes is without them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: Option<Vec<u8>>,
}

/// The extensions in the value of a header, in their order. `None`: it is no such list.
pub(super) fn parse(value: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut rest = Rest(value);
    let mut extensions = Vec::new();
    loop {
        // A list may have empty items (RFC 9110 section 5.6.1).
        while rest.takes(b',') {}
        if rest.0.is_empty() {
            return Some(extensions);
        }
        extensions.push(rest.extension()?);
        if !rest.0.is_empty() && !rest.takes(b',') {
            return None;
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn extension(&mut self) -> Option<Extension<'a>> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        while self.takes(b';') {
            let name = self.token()?;
            let value = if self.takes(b'=') { Some(self.value()?) } else { None };
            parameters.push(Parameter { name, value });
        }
        Some(Extension { name, parameters })
    }

    /// Steps over `byte`, and the white space around it, if it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        self.0 = self.0.trim_ascii();
        let Some(rest) = self.0.strip_prefix(&[byte]) else { return false };
        self.0 = rest.trim_ascii_start();
        true
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().take_while(|byte| is_token(**byte)).count();
        let (token, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn value(&mut self) -> Option<Vec<u8>> {
        let Some(quoted) = self.0.strip_prefix(b"\"") else {
            return self.token().map(<[u8]>::to_vec);
        };
        self.0 = quoted;
        let mut value = Vec::new();
        loop {
            let (mut byte, mut rest) = self.0.split_first()?;
            if *byte == b'"' {
                self.0 = rest;
                return (!value.is_empty()).then_some(value);
            }
            if *byte == b'\\' {
                (byte, rest) = rest.split_first()?;
            }
            // Also in quotes only a token is allowed.
            if !is_token(*byte) {
                return None;
            }
            value.push(*byte);
            self.0 = rest;
        }
    }
}

/// RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name; parameter; parameter=value, name`, without white space and quotes.
    fn printed(value: &str) -> Option<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let extensions = parse(value.as_bytes())?.into_iter().map(|extension| {
            let mut printed = text(extension.name);
            for Parameter { name, value } in extension.parameters {
                printed += &format!(";{}", text(name));
                if let Some(value) = value {
                    printed += &format!("={}", text(&value));
                }
            }
            printed
        });
        Some(extensions.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn lists_are_read() {
        for (value, expected) in [
            ("", ""),
            (" , ,", ""),
            ("a", "a"),
            (" a ; b ; c = 1 , d;e=\"2\" ", "a;b;c=1,d;e=2"),
            ("a,,b,", "a,b"),
            ("a; b=\"x\\y\"; b", "a;b=xy;b"),
            ("\ta;\tb", "a;b"),
            ("a;b=\" 1\"", "error"),
            ("a;b=\"\"", "error"),
            ("a;b=\"1", "error"),
            ("a;b=\"1\\", "error"),
            ("a;b=\"1\"2", "error"),
            ("a;b=\"1,2\"", "error"),
            ("a;b=", "error"),
            ("a;", "error"),
            (";a", "error"),
            ("a b", "error"),
            ("a=b", "error"),
            ("a;b c", "error"),
            ("a;b=c d", "error"),
            ("a;=", "error"),
            ("é", "error"),
            ("a\0", "error"),
        ] {
            assert_eq!(printed(value).as_deref().unwrap_or("error"), expected, "{value:?}");
        }
    }
}
