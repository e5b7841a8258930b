//! The sockets that were opened, and what is done with them.

use std::collections::HashMap;
use std::sync::Arc;

use sockeye::EmitError;
use sockeye::client::Socket;

use crate::command::{Command, Emit, Mode, Open};
use crate::opening;
use crate::values::{Spread, decode_all};
use crate::watching::{Watch, watch};

/// By the names that were chosen for them.
#[derive(Default)]
pub(crate) struct Sockets(HashMap<String, (Socket, Arc<Watch>)>);

impl Sockets {
    pub(crate) fn obey(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Open(open) => self.open(*open)?,
            Command::Emit(emit) => self.emit(emit)?,
            Command::Answer { s, event, mode } => {
                let mode = match mode {
                    Mode::Args(args) => Mode::Args(decode_all(args)?),
                    other => other,
                };
                self.known(&s)?.1.answer(event, mode);
            }
            Command::Disconnect { s } => {
                self.known(&s)?.0.disconnect();
            }
            Command::Connect { s } => {
                let (socket, watch) = self.known(&s)?;
                socket.connect();
                watch.go_on();
            }
        }
        Ok(())
    }

    fn known(&self, name: &str) -> Result<&(Socket, Arc<Watch>), String> {
        self.0.get(name).ok_or_else(|| format!("no socket is called {name}"))
    }

    fn open(&mut self, mut open: Open) -> Result<(), String> {
        let name = std::mem::take(&mut open.s);
        let socket = match open.opts.share.take() {
            Some(other) => opening::on(&self.known(&other)?.0.manager(), &open.nsp, open.opts),
            None => opening::alone(open)?,
        };
        let watch = watch(&name, &socket);
        socket.connect();
        self.0.insert(name, (socket, watch));
        Ok(())
    }

    fn emit(&self, emit: Emit) -> Result<(), String> {
        let Emit { s, event, args, volatile, ack, timeout } = emit;
        let (socket, watch) = self.known(&s)?;
        let args = Spread(decode_all(args)?);
        let Some(ack) = ack else {
            let emitted = if volatile {
                socket.volatile().emit(&event, args)
            } else {
                socket.emit(&event, args)
            };
            return match emitted {
                // That is what volatile is for.
                Err(EmitError::NotWritable) if volatile => Ok(()),
                other => other.map_err(|error| error.to_string()),
            };
        };
        let answer = match timeout {
            Some(timeout) => socket.timeout(timeout).emit_with_ack(&event, args),
            None => socket.emit_with_ack(&event, args),
        };
        watch.acknowledgement(ack, answer);
        Ok(())
    }
}
