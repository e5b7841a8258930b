/// What the command line asks for.
pub(crate) struct Command {
    pub(crate) port: u16,
    pub(crate) mode: Mode,
    /// What the interop contract's server can do beside the default.
    pub(crate) features: Features,
}

/// What is off unless the command line asks for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Features {
    /// Connection state recovery.
    pub(crate) recovery: bool,
    /// The official MessagePack parser instead of the default one.
    pub(crate) message_pack: bool,
    /// Socket.IO 2 clients.
    pub(crate) eio3: bool,
    /// Compressed messages on WebSockets.
    pub(crate) deflate: bool,
    /// The same, with context taken over both ways.
    pub(crate) deflate_context: bool,
}

/// Which of the servers it is.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// The interop contract.
    Contract,
    /// Engine.IO alone, echoing: `eio-suite`.
    EngineSuite,
    /// Socket.IO for the protocol cases: `sio-suite`.
    SocketSuite,
    /// Socket.IO for the official client's own tests: `client-suite`.
    ClientSuite,
    /// Engine.IO for the official client's own tests: `eio-client-suite`.
    EngineClientSuite,
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut command = Command { port: 0, mode: Mode::Contract, features: Features::default() };
    let mut port = None;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--port" => {
                let value = value()?;
                port = Some(value.parse().map_err(|_| format!("{value:?} is no port"))?);
            }
            "--mode" => command.mode = mode(&value()?)?,
            "--eio3" => command.features.eio3 = true,
            "--deflate" => command.features.deflate = true,
            "--deflate-context" => command.features.deflate_context = true,
            "--parser" => match value()?.as_str() {
                "msgpack" => command.features.message_pack = true,
                other => return Err(format!("--parser {other}: unknown")),
            },
            "--recovery" => command.features.recovery = true,
            "--tls" => return Err("--tls: not built yet".into()),
            _ => return Err(format!("unknown argument {argument:?}")),
        }
    }
    command.port = port.ok_or("--port N is missing")?;
    Ok(command)
}

fn mode(name: &str) -> Result<Mode, String> {
    match name {
        "eio-suite" => Ok(Mode::EngineSuite),
        "sio-suite" => Ok(Mode::SocketSuite),
        "client-suite" => Ok(Mode::ClientSuite),
        "eio-client-suite" => Ok(Mode::EngineClientSuite),
        _ => Err(format!("--mode {name}: unknown")),
    }
}
