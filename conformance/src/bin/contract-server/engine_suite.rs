//! Engine.IO alone: every message is echoed.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use sockeye::Cors;
use sockeye::engine::{
    Application, CloseDetail, CloseReason, Engine, EngineOptions, Message, Session,
};
use tokio::net::TcpListener;

use crate::http;

pub(crate) async fn serve(listeners: Vec<TcpListener>) {
    let mut options = EngineOptions::default();
    options.ping_interval = Duration::from_millis(300);
    options.ping_timeout = Duration::from_millis(200);
    options.max_http_buffer_size = 1_000_000;
    options.cors = Some(Cors::any());
    let engine = Engine::new(options, |_: &Arc<Session>| Echo);
    http::serve_service(engine.service(), listeners).await;
}

struct Echo;

impl Application for Echo {
    fn message(&mut self, session: &Arc<Session>, _: &mut Context<'_>, message: Message<'_>) {
        // A client that is gone hears no echo.
        let _ = match message {
            Message::Text(text) => session.send_text(text),
            Message::Binary(data) => session.send_binary(&data),
        };
    }

    fn poll(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {}

    fn ended(&mut self, _: &Arc<Session>, _: &mut Context<'_>, _: CloseReason, _: CloseDetail) {}
}
