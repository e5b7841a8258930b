use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::json::{Attachments, TextWriter, first_value, renumber, replace_lone_surrogates};

mod call;

use call::{decode_call, decode_each};

/// The arguments of a received event or acknowledgement, not decoded yet.
///
/// They are checked to be JSON whose placeholders are in range. Sending them on costs no decoding:
/// `Arguments` are [`ToArguments`] themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arguments<'a> {
    /// JSON values with commas between them.
    pub(super) list: &'a str,
    pub(super) attachments: &'a [Bytes],
}

impl<'a> Arguments<'a> {
    /// Decodes them as a call would take them: a tuple takes one argument for each of its items,
    /// any other type takes the first. Arguments that are missing at the end are `None` or `()`;
    /// those too many are ignored. Binary is found by its number, wherever it stands.
    ///
    /// # Errors
    /// Says which argument does not fit, and why.
    pub fn decode<T: FromArguments>(&self) -> Result<T, ArgumentsError> {
        T::from_arguments(*self)
    }

    /// The arguments' JSON, one by one.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.list;
        std::iter::from_fn(move || {
            let (value, tail) = first_value(rest)?;
            rest = tail;
            Some(value)
        })
    }

    /// The arguments behind the first `count`.
    #[must_use]
    pub fn skip(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.list = first_value(self.list).map_or("", |(_, rest)| rest);
        }
        self
    }

    /// Decodes each argument into the same type, however many there are.
    ///
    /// # Errors
    /// Says which argument does not fit, and why.
    pub fn decode_all<T: DeserializeOwned>(&self) -> Result<Vec<T>, ArgumentsError> {
        self.decode_or_replace(decode_each)
    }

    /// Halves of characters, which JavaScript may send, are replaced if they are what does not fit.
    fn decode_or_replace<T>(
        self,
        decode: impl Fn(Arguments<'_>) -> Result<T, ArgumentsError>,
    ) -> Result<T, ArgumentsError> {
        decode(self).or_else(|error| match replace_lone_surrogates(self.list) {
            Some(list) => decode(Arguments { list: &list, ..self }),
            None => Err(error),
        })
    }

    /// Bytes that they have taken on the wire, attachments included; without what stands around them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.attachments.iter().fold(self.list.len(), |sum, attachment| sum + attachment.len())
    }

    /// The attachments, in the order of their numbers.
    #[must_use]
    pub const fn attachments(&self) -> &'a [Bytes] {
        self.attachments
    }

    /// A copy that owns what it needs.
    #[inline]
    #[must_use]
    pub fn to_owned(&self) -> OwnedArguments {
        OwnedArguments { list: self.list.into(), attachments: self.attachments.to_vec() }
    }
}

/// Arguments that can be kept, sent on, or decoded later.
#[derive(Clone, Debug, Default)]
pub struct OwnedArguments {
    list: Box<str>,
    attachments: Vec<Bytes>,
}

impl OwnedArguments {
    /// The arguments.
    #[must_use]
    pub fn as_arguments(&self) -> Arguments<'_> {
        Arguments { list: &self.list, attachments: &self.attachments }
    }

    /// See [`Arguments::decode`].
    ///
    /// # Errors
    /// Says which argument does not fit, and why.
    pub fn decode<T: FromArguments>(&self) -> Result<T, ArgumentsError> {
        self.as_arguments().decode()
    }

    /// See [`Arguments::decode_all`].
    ///
    /// # Errors
    /// Says which argument does not fit, and why.
    pub fn decode_all<T: DeserializeOwned>(&self) -> Result<Vec<T>, ArgumentsError> {
        self.as_arguments().decode_all()
    }
}

/// Why arguments could not be decoded into a handler's types.
#[derive(Debug)]
pub struct ArgumentsError {
    argument: usize,
    source: serde_json::Error,
}

impl ArgumentsError {
    /// Which argument it was; the first has the number 1.
    #[must_use]
    pub const fn argument(&self) -> usize {
        self.argument
    }
}

impl fmt::Display for ArgumentsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "argument {}: {}", self.argument, self.source)
    }
}

impl std::error::Error for ArgumentsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Types that arguments decode into: all that are `Deserialize` and own their data.
pub trait FromArguments: Sized {
    /// Decodes the arguments.
    ///
    /// # Errors
    /// Says which argument does not fit, and why.
    fn from_arguments(arguments: Arguments<'_>) -> Result<Self, ArgumentsError>;
}

impl<T: DeserializeOwned> FromArguments for T {
    fn from_arguments(arguments: Arguments<'_>) -> Result<Self, ArgumentsError> {
        arguments.decode_or_replace(decode_call)
    }
}

impl FromArguments for OwnedArguments {
    fn from_arguments(arguments: Arguments<'_>) -> Result<Self, ArgumentsError> {
        Ok(arguments.to_owned())
    }
}

/// Types that can be the arguments of an event or acknowledgement: all that are `Serialize`.
///
/// A tuple is several arguments, `()` none, anything else one: also a `Vec`, an array, a tuple
/// struct, or a tuple in a `Box`. A type of one's own that is not `Serialize` can be as many as it
/// likes:
///
/// ```
/// use sockeye_proto::socket::{ArgumentWriter, ToArguments, Value};
///
/// /// Each value is an argument.
/// struct Spread(Vec<Value>);
///
/// impl ToArguments for Spread {
///     fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
///         self.0.iter().try_for_each(|value| value.write(writer))
///     }
/// }
/// ```
pub trait ToArguments {
    /// Appends the arguments: behind those that were written before.
    ///
    /// # Errors
    /// What the type's `Serialize` said.
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()>;
}

impl<T: Serialize + ?Sized> ToArguments for T {
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
        writer.value(self)
    }
}

impl ToArguments for Arguments<'_> {
    #[inline]
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
        writer.relay(*self);
        Ok(())
    }
}

impl ToArguments for OwnedArguments {
    #[inline]
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
        self.as_arguments().write(writer)
    }
}

impl ToArguments for &OwnedArguments {
    fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
        self.as_arguments().write(writer)
    }
}

/// Takes the arguments of one packet as JSON, and the bytes in them as attachments.
///
/// An object that looks like what stands for an attachment (`{"_placeholder":true,"num":0}`) is taken for
/// it by whoever receives it together with bytes, as in the official server.
#[derive(Debug)]
pub struct ArgumentWriter<'a> {
    json: &'a mut Vec<u8>,
    attachments: &'a mut Attachments,
    /// Whether something stands before the next argument in the same array.
    after_something: bool,
}

impl<'a> ArgumentWriter<'a> {
    pub(super) const fn new(
        json: &'a mut Vec<u8>,
        attachments: &'a mut Attachments,
        after_something: bool,
    ) -> Self {
        Self { json, attachments, after_something }
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        match Shape::of::<T>() {
            Shape::None => Ok(()),
            Shape::Single => {
                self.comma();
                self.serialize(value)
            }
            Shape::Tuple => self.spread(value),
        }
    }

    /// `[1,2]` without its brackets is a list of arguments.
    fn spread<T: Serialize + ?Sized>(&mut self, tuple: &T) -> serde_json::Result<()> {
        let start = self.json.len();
        self.serialize(tuple)?;
        self.json.pop();
        if self.after_something {
            self.json[start] = b',';
        } else {
            self.json.remove(start);
        }
        self.after_something = true;
        Ok(())
    }

    #[inline]
    fn relay(&mut self, arguments: Arguments<'_>) {
        let Arguments { list, attachments } = arguments;
        if !list.is_empty() {
            self.comma();
            match self.attachments.len() {
                // What stands for their attachments does not when there are others before them.
                first @ 1.. if !attachments.is_empty() => renumber(list, first, self.json),
                _ => self.json.extend_from_slice(list.as_bytes()),
            }
        }
        attachments.iter().for_each(|bytes| self.attachments.push(bytes));
    }

    fn comma(&mut self) {
        if self.after_something {
            self.json.push(b',');
        }
        self.after_something = true;
    }

    fn serialize<T: Serialize + ?Sized>(&mut self, value: &T) -> serde_json::Result<()> {
        let mut writer = TextWriter { json: self.json, attachments: self.attachments };
        value.serialize(&mut writer)
    }
}

/// Whether a value of this type stands for no argument at all, as `()` does.
#[must_use]
pub fn is_no_argument<T: ?Sized>() -> bool {
    Shape::of::<T>() == Shape::None
}

/// How a type stands for arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    None,
    Tuple,
    Single,
}

impl Shape {
    /// To serde a tuple and an array are the same; only the type's name tells them apart. The
    /// compiler knows it at build time, so this costs nothing.
    fn of<T: ?Sized>() -> Self {
        match std::any::type_name::<T>().trim_start_matches('&') {
            "()" => Self::None,
            name if name.starts_with('(') => Self::Tuple,
            _ => Self::Single,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::{Deserializer, IgnoredAny};

    use super::*;
    use crate::socket::Value;

    fn arguments(list: &str) -> Arguments<'_> {
        Arguments { list, attachments: &[] }
    }

    #[test]
    fn arguments_decode_like_a_call() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Name(String);
        assert_eq!(arguments("1,\"two\"").decode::<(i32, String)>().unwrap(), (1, "two".into()));
        assert_eq!(arguments("1,2,3").decode::<(i32, i32)>().unwrap(), (1, 2));
        assert_eq!(arguments("1,2,3").decode::<i32>().unwrap(), 1);
        assert_eq!(arguments("1").decode::<(i32, Option<i32>, ())>().unwrap(), (1, None, ()));
        assert_eq!(arguments("").decode::<Option<i32>>().unwrap(), None);
        assert_eq!(arguments("[1,2]").decode::<Vec<i32>>().unwrap(), [1, 2]);
        assert_eq!(arguments("[1,2]").decode::<[i32; 2]>().unwrap(), [1, 2]);
        assert_eq!(arguments("\"n\"").decode::<Name>().unwrap(), Name("n".into()));
        arguments("1,2").decode::<()>().unwrap();
    }

    #[test]
    fn each_argument_is_taken_whole_whatever_stands_around_it_and_whatever_its_type_looks_at() {
        /// Takes anything, and looks at nothing.
        #[derive(Debug, PartialEq)]
        struct Blind;
        impl<'de> Deserialize<'de> for Blind {
            fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Ok(Self)
            }
        }
        let list = " 1.5e3 , { \"a\" : [ \",\" ] },null ,-7, true,\"]\" ";
        let decoded = arguments(list).decode::<(f64, Blind, (), i32, IgnoredAny, String)>();
        let (first, blind, (), zero, _, last) = decoded.unwrap();
        assert_eq!((first, blind, zero, last), (1_500.0, Blind, -7, "]".into()));
        assert_eq!(arguments(list).decode_all::<IgnoredAny>().unwrap().len(), 6);
    }

    #[test]
    fn a_type_may_be_several_arguments() {
        struct Several;
        impl ToArguments for Several {
            fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
                1.write(writer)?;
                ().write(writer)?;
                (2, [3]).write(writer)?;
                arguments("").write(writer)?;
                arguments("4,5").write(writer)?;
                "six".write(writer)
            }
        }
        for (after_name, expected) in
            [(true, ",1,2,[3],4,5,\"six\""), (false, "1,2,[3],4,5,\"six\"")]
        {
            let (mut json, mut attachments) = (Vec::new(), Attachments::new());
            let mut writer = ArgumentWriter::new(&mut json, &mut attachments, after_name);
            Several.write(&mut writer).unwrap();
            assert_eq!(String::from_utf8(json).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_are_read_exactly() {
        let number: f64 = arguments("123456789.12345679").decode().unwrap();
        assert_eq!(number.to_string(), "123456789.12345679");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let missing = arguments("1").decode::<(i32, String)>().unwrap_err();
        assert_eq!(missing.to_string(), "argument 2: missing");
        let wrong = arguments("1,2").decode::<(i32, String)>().unwrap_err();
        assert_eq!(wrong.argument(), 2);
        assert!(wrong.to_string().contains("invalid type: integer `2`, expected a string"));
    }

    #[test]
    fn relayed_behind_bytes_of_ones_own_attachments_keep_their_places() {
        struct Both<'a>(Value, Arguments<'a>);
        impl ToArguments for Both<'_> {
            fn write(&self, writer: &mut ArgumentWriter<'_>) -> serde_json::Result<()> {
                self.0.write(writer)?;
                self.1.write(writer)
            }
        }
        let attachments = [Bytes::from_static(b"b"), Bytes::from_static(b"c")];
        let list = r#"{"_placeholder":true,"num":1},7,[{"_placeholder":true,"num":0}]"#;
        let relayed = Arguments { list, attachments: &attachments };
        let written = |own: Value| {
            let (mut json, mut attachments) = (Vec::new(), Attachments::new());
            let mut writer = ArgumentWriter::new(&mut json, &mut attachments, false);
            Both(own, relayed).write(&mut writer).unwrap();
            let attachments = attachments.iter().map(|frame| frame.to_frame().payload().to_vec());
            (String::from_utf8(json).unwrap(), attachments.collect::<Vec<_>>())
        };
        let (json, attachments) = written(Value::Binary(Bytes::from_static(b"a")));
        assert_eq!(
            json,
            r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":2},7,[{"_placeholder":true,"num":1}]"#
        );
        assert_eq!(attachments, [b"a", b"b", b"c"]);
        let (json, attachments) = written(Value::Null);
        assert_eq!((json, attachments.len()), (format!("null,{list}"), 2));
    }

    #[test]
    fn attachments_are_found_by_number_even_when_one_is_skipped() {
        #[derive(Deserialize)]
        struct Second {
            second: Bytes,
        }
        let placeholder = |number| format!("{{\"_placeholder\":true,\"num\":{number}}}");
        let list = format!("{{\"first\":{},\"second\":{}}}", placeholder(0), placeholder(1));
        let attachments = [Bytes::from_static(&[1]), Bytes::from_static(&[2])];
        let arguments = Arguments { list: &list, attachments: &attachments };
        assert_eq!(arguments.decode::<Second>().unwrap().second, &[2][..]);
        let list = placeholder(1);
        let arguments = Arguments { list: &list, attachments: &attachments };
        assert_eq!(arguments.decode::<Vec<u8>>().unwrap(), [2]);
        assert_eq!(arguments.decode::<Value>().unwrap(), Value::Binary(Bytes::from_static(&[2])));
    }

    #[test]
    fn p_08_one_attachment_may_be_named_again_and_again_but_not_fill_the_memory() {
        let attachments = [Bytes::from(vec![7; 100_000])];
        let named = |times| {
            let list = vec![r#"{"_placeholder":true,"num":0}"#; times].join(",");
            let arguments = Arguments { list: &list, attachments: &attachments };
            let one = Arguments { list: &format!("[{list}]"), attachments: &attachments }
                .decode::<Vec<Bytes>>()
                .map(|all| all.len());
            let all = arguments.decode_all::<Value>().map(|all| all.len());
            assert_eq!(one.is_ok(), all.is_ok());
            (all, arguments.decode::<Bytes>().map(|bytes| bytes.len()))
        };
        let (ten, first) = named(10);
        assert_eq!((ten.unwrap(), first.unwrap()), (10, 100_000));
        let (many, first) = named(10_000);
        assert_eq!(first.unwrap(), 100_000, "what is not decoded is not copied");
        let error = many.unwrap_err();
        assert_eq!(error.argument(), 11);
        assert!(error.to_string().contains("names its attachments so often"), "{error}");
    }

    #[test]
    fn enums_and_options_decode_beside_attachments() {
        #[derive(Debug, Deserialize, PartialEq)]
        enum Command {
            Stop,
            Move(i32, i32),
            Say { text: String },
        }
        let attachments = [Bytes::from_static(&[1])];
        let list = "\"Stop\",{\"Move\":[1,2]},{\"Say\":{\"text\":\"x\"}},null";
        let arguments = Arguments { list, attachments: &attachments };
        let decoded: (Command, Command, Command, Option<i32>) = arguments.decode().unwrap();
        let said = Command::Say { text: "x".into() };
        assert_eq!(decoded, (Command::Stop, Command::Move(1, 2), said, None));
    }
}
