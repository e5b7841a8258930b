use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::*;
use crate::socket::Value;
use crate::websocket::Frame;

fn text(encoded: &Encoded) -> String {
    String::from_utf8(encoded.text().to_vec()).unwrap()
}

fn event<A: ToArguments + ?Sized>(arguments: &A) -> String {
    text(&Encoder::new(&mut Scratch::new(), "/").event("e", None, arguments).unwrap())
}

fn acknowledgement<A: ToArguments + ?Sized>(arguments: &A) -> String {
    text(&Encoder::new(&mut Scratch::new(), "/").acknowledgement(7, arguments).unwrap())
}

#[test]
fn a_tuple_is_several_arguments_anything_else_is_one() {
    #[derive(Serialize)]
    struct Point(i32, i32);
    #[derive(Serialize)]
    struct Name(&'static str);
    assert_eq!(event(&()), "2[\"e\"]");
    assert_eq!(event(&(1,)), "2[\"e\",1]");
    assert_eq!(event(&(1, "two", [3])), "2[\"e\",1,\"two\",[3]]");
    assert_eq!(event(&&(1, 2)), "2[\"e\",1,2]");
    assert_eq!(event("text"), "2[\"e\",\"text\"]");
    assert_eq!(event(&vec![1, 2]), "2[\"e\",[1,2]]");
    assert_eq!(event(&[1, 2]), "2[\"e\",[1,2]]");
    assert_eq!(event(&Point(1, 2)), "2[\"e\",[1,2]]");
    assert_eq!(event(&Name("n")), "2[\"e\",\"n\"]");
    assert_eq!(event(&None::<i32>), "2[\"e\",null]");
    assert_eq!(event(&json!({"a": [1, null]})), "2[\"e\",{\"a\":[1,null]}]");
    assert_eq!(acknowledgement(&()), "37[]");
    assert_eq!(acknowledgement(&(1, 2)), "37[1,2]");
    assert_eq!(acknowledgement(&vec![1, 2]), "37[[1,2]]");
}

#[test]
fn bytes_anywhere_become_attachments() {
    #[derive(Serialize)]
    struct Upload {
        name: &'static str,
        content: Bytes,
    }
    let upload = Upload { name: "x", content: Bytes::from_static(&[1, 2]) };
    let more = Value::Array(vec![Value::Binary(Bytes::from_static(&[3]))]);
    let mut scratch = Scratch::new();
    let encoded =
        Encoder::new(&mut scratch, "/files").event("up", Some(3), &(upload, more)).unwrap();
    assert_eq!(
        text(&encoded),
        "52-/files,3[\"up\",{\"name\":\"x\",\"content\":{\"_placeholder\":true,\"num\":0}},\
         [{\"_placeholder\":true,\"num\":1}]]"
    );
    assert_eq!(encoded.attachments().collect::<Vec<_>>(), [&[1, 2][..], &[3]]);
    assert_eq!(encoded.frames().count(), 3);
}

#[test]
fn short_and_long_attachments_keep_their_order() {
    let bytes = |length, byte| Value::Binary(Bytes::from(vec![byte; length]));
    let arguments =
        Value::Array(vec![bytes(40_000, 1), bytes(3, 2), bytes(32_768, 3), bytes(32_769, 4)]);
    let mut scratch = Scratch::new();
    let written = Encoder::new(&mut scratch, "/").write_event("e", None, &arguments).unwrap();
    let is_long = |frame| matches!(frame, WrittenFrame::Long(_));
    assert!(written.attachments().map(is_long).eq([true, false, false, true]));
    let encoded = written.into_encoded();
    let found = encoded.attachments().map(|bytes| (bytes.len(), bytes[0]));
    assert!(found.eq([(40_000, 1), (3, 2), (32_768, 3), (32_769, 4)]));
    scratch.clear();
    assert!(scratch.capacity() < 50_000, "what is long is not kept");
    let many = vec![bytes(0, 0); 10_000];
    Encoder::new(&mut scratch, "/").write_event("e", None, &many).unwrap();
    assert!(scratch.capacity() > 10_000 * size_of::<Frame>(), "their list is memory, too");
}

#[test]
fn a_packet_that_failed_leaves_nothing_behind() {
    struct Failing;
    impl Serialize for Failing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }
    let mut scratch = Scratch::new();
    let mut encoder = Encoder::new(&mut scratch, "/");
    let error = encoder.event("e", None, &(Bytes::from_static(&[1]), "text", Failing));
    assert!(matches!(error, Err(EncodeError::Json(_))));
    let next = encoder.event("e", None, &7).unwrap();
    assert_eq!((text(&next).as_str(), next.attachments().len()), ("2[\"e\",7]", 0));
}

#[test]
fn the_servers_answers_are_the_references() {
    let mut scratch = Scratch::new();
    let mut encoder = Encoder::new(&mut scratch, "/nope");
    assert_eq!(text(&encoder.connect("YDdIvTwz8y", None)), "0/nope,{\"sid\":\"YDdIvTwz8y\"}");
    assert_eq!(text(&encoder.connect("a", Some("b"))), "0/nope,{\"sid\":\"a\",\"pid\":\"b\"}");
    assert_eq!(text(&encoder.connect_without_id()), "0/nope,");
    assert_eq!(text(&encoder.connect_error_value(&"no".into())), "4/nope,\"no\"");
    assert_eq!(text(&encoder.disconnect()), "1/nope,");
    assert_eq!(
        text(&encoder.connect_error("Invalid namespace", None)),
        "4/nope,{\"message\":\"Invalid namespace\"}"
    );
    let data = json!({"code": 7});
    assert_eq!(
        text(&encoder.connect_error("no", Some(&data))),
        "4/nope,{\"message\":\"no\",\"data\":{\"code\":7}}"
    );
}

#[test]
fn c_051_a_client_says_what_it_comes_back_with_and_then_who_it_is() {
    let mut scratch = Scratch::new();
    let mut encoder = Encoder::new(&mut scratch, "/a");
    let mut connect =
        |auth, pid, offset| text(&encoder.connect_with(auth, Recovery { pid, offset }).unwrap());
    assert_eq!(connect(None, None, None), "0/a,");
    assert_eq!(connect(Some("{}"), None, None), "0/a,{}");
    assert_eq!(connect(Some(" {\"token\":1} "), None, None), "0/a,{\"token\":1}");
    assert_eq!(connect(None, Some("p"), None), "0/a,{\"pid\":\"p\"}");
    assert_eq!(connect(Some("{ }"), Some("p"), None), "0/a,{\"pid\":\"p\"}");
    assert_eq!(
        connect(Some("{\"token\":1}"), Some("p"), Some("\"")),
        "0/a,{\"pid\":\"p\",\"offset\":\"\\\"\",\"token\":1}"
    );
    let own = "{\"pid\":null,\"a\":{\"offset\":1}}";
    assert_eq!(
        connect(Some(own), Some("p"), Some("~1")),
        "0/a,{\"offset\":\"~1\",\"pid\":null,\"a\":{\"offset\":1}}"
    );
    for auth in ["", "1", "null", "[]", "{", "{}}", "{\"a\":}"] {
        let error = encoder.connect_with(Some(auth), Recovery::default()).unwrap_err();
        assert!(matches!(error, EncodeError::Auth(_)), "{auth}");
    }
}

#[test]
fn the_frame_is_complete() {
    let mut scratch = Scratch::new();
    let encoded = Encoder::new(&mut scratch, "/").event("hi", None, "é").unwrap();
    let frame = encoded.frames().next().unwrap();
    assert_eq!(frame.as_bytes(), b"\x81\x0d42[\"hi\",\"\xc3\xa9\"]");
}

#[test]
fn s_079_an_offset_is_one_more_argument() {
    let mut scratch = Scratch::new();
    let mut encoder = Encoder::new(&mut scratch, "/");
    let plain = encoder.event("hi", None, &("é", Bytes::from_static(&[1]))).unwrap();
    let offered = plain.with_offset(Offset::new(35)).unwrap();
    let placeholder = "{\"_placeholder\":true,\"num\":0}";
    assert_eq!(text(&offered), format!("51-[\"hi\",\"é\",{placeholder},\"~z\"]"));
    assert_eq!(offered.attachments().collect::<Vec<_>>(), [&[1]]);
    let bare = encoder.event("hi", None, &()).unwrap().with_offset(Offset::new(0)).unwrap();
    assert_eq!(text(&bare), "2[\"hi\",\"~0\"]");
    for arguments in ["", "é"] {
        let plain = encoder.event("hi", None, arguments).unwrap();
        let at = encoder.event_at("hi", arguments, Offset::new(7)).unwrap();
        assert_eq!(text(&at), text(&plain.with_offset(Offset::new(7)).unwrap()));
    }
}

#[test]
fn a_packet_is_compressed_once() {
    let mut scratch = Scratch::new();
    let attachment = Value::Binary(Bytes::from_static(&[1, 2]));
    let encoded = Encoder::new(&mut scratch, "/").event("e", None, &(attachment,)).unwrap();
    let mut calls = 0;
    for _ in 0..1000 {
        let deflated: Vec<_> = encoded
            .deflated(|frame| {
                calls += 1;
                (frame.opcode() == Opcode::Text).then(|| Frame::text(b"short"))
            })
            .collect();
        let [text, attachment] = &deflated[..] else { panic!("{deflated:?}") };
        assert_eq!((text.0.payload()[0], text.1.payload()), (b'4', &b"short"[..]));
        assert_eq!(attachment.0.as_bytes().as_ptr(), attachment.1.as_bytes().as_ptr());
    }
    assert_eq!(calls, 2);
}

#[test]
fn reserved_names_are_refused() {
    let error = Encoder::new(&mut Scratch::new(), "/").event("connect", None, &()).unwrap_err();
    assert_eq!(error.to_string(), "\"connect\" is a reserved event name");
}
