//! What was said on a link, and what it means.

use std::error::Error;
use std::task::Context;

use sockeye_proto::engine::{ClientInput, Link as LinkName, Opening, Packet, Received};
use sockeye_proto::websocket::{CloseCode, DecodeError, Frame, Message};

use super::super::error::{TransportCause, TransportError};
use super::super::websocket::WebSocket;
use super::{ClientApplication, Outgoing};

/// What became of a packet.
pub(super) enum Taken {
    /// It was a message, and is delivered.
    Delivered,
    /// The machine is to be told.
    Input(ClientInput),
    /// The same, and this is why, if it is the end of the link.
    Refused(ClientInput, TransportError),
}

/// The error of a WebSocket.
pub(super) fn of(name: LinkName, cause: TransportCause) -> TransportError {
    match name {
        LinkName::Active => TransportError::websocket(cause),
        LinkName::Candidate => TransportError::probe(cause),
    }
}

/// What was said on a WebSocket.
pub(super) enum Heard {
    Packet(Taken),
    Ping(Frame),
    Pong,
    Close(Option<CloseCode>),
    Nonsense(DecodeError),
}

pub(super) fn listen<A: ClientApplication>(
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
    application: &mut A,
    name: LinkName,
    message: Message<'_>,
) -> Heard {
    Heard::Packet(match message {
        Message::Text(text) => match Packet::decode(text) {
            Ok(packet) => read_packet(outgoing, cx, application, name, packet),
            Err(error) => undecodable(name, &error, false),
        },
        Message::Binary(data) => read_packet(outgoing, cx, application, name, Packet::binary(data)),
        Message::Ping(data) => return Heard::Ping(Frame::pong(data)),
        Message::Pong(_) => return Heard::Pong,
        Message::Close(frame) => return Heard::Close(frame.map(|frame| frame.code)),
    })
}

/// What is not about packets.
pub(super) fn react(
    websocket: &mut WebSocket,
    cx: &mut Context<'_>,
    name: LinkName,
    heard: Heard,
) -> Taken {
    match heard {
        Heard::Packet(taken) => taken,
        Heard::Pong => Taken::Delivered,
        Heard::Ping(answer) => {
            websocket.answer_ping(answer);
            Taken::Delivered
        }
        Heard::Close(code) => {
            websocket.hang_up(cx, code);
            let cause = TransportCause::Closed { code: code.map(CloseCode::get) };
            Taken::Refused(ClientInput::LinkClosed { link: name }, of(name, cause))
        }
        Heard::Nonsense(error) => {
            websocket.hang_up(cx, Some(error.close_code()));
            let cause = TransportCause::Frame(error.to_string());
            Taken::Refused(ClientInput::LinkFailed { link: name }, of(name, cause))
        }
    }
}

/// One packet, from whatever link: a message is delivered where it lies.
pub(super) fn read_packet<A: ClientApplication>(
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
    application: &mut A,
    name: LinkName,
    packet: Packet<'_>,
) -> Taken {
    match (name, packet) {
        (LinkName::Active, Packet::Message(message)) if outgoing.session().takes_message() => {
            application.message(cx, outgoing, message);
            Taken::Delivered
        }
        (LinkName::Active, Packet::Open(json)) if outgoing.id().is_none() => {
            match Opening::parse(json) {
                Ok(opening) => {
                    let input = ClientInput::from(&opening);
                    outgoing.sid = Some(opening.sid);
                    outgoing.max_payload = opening.max_payload;
                    Taken::Input(input)
                }
                Err(error) => undecodable(name, &error, false),
            }
        }
        (name, packet) => {
            let received = Received::from(&packet);
            if name == LinkName::Active && matches!(received, Received::Ping { .. }) {
                application.pinged();
            }
            Taken::Input(ClientInput::Packet { link: name, packet: received })
        }
    }
}

/// What a server of revision 3 says cannot be read, and is worth a hint.
pub(super) fn undecodable(name: LinkName, error: &dyn Error, is_old: bool) -> Taken {
    let text = if is_old {
        "the server speaks Engine.IO 3 (Socket.IO 2), which this client does not".to_owned()
    } else {
        format!("the server does not speak Engine.IO: {error}")
    };
    let error = TransportError::server(TransportCause::Packet(text));
    Taken::Refused(ClientInput::Undecodable { link: name }, error)
}
