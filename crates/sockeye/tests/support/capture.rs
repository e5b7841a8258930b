//! Everything that is told to `tracing` on this thread.

use std::fmt::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;

/// Remembers the lines and spans of this crate, up to a level.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Inner>);

struct Inner {
    level: Level,
    lines: Mutex<Vec<Line>>,
    spans: Mutex<Vec<SpanRecord>>,
    entered: Mutex<Vec<Id>>,
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) level: Level,
    /// Message and fields: `message name=value …`.
    pub(crate) text: String,
    /// The number of the span in which it was said.
    pub(crate) span: Option<usize>,
}

/// A span.
#[derive(Clone, Debug)]
pub(crate) struct SpanRecord {
    metadata: &'static Metadata<'static>,
    /// Name and fields; what is recorded later stands behind.
    pub(crate) text: String,
    handles: usize,
}

impl SpanRecord {
    pub(crate) const fn is_closed(&self) -> bool {
        self.handles == 0
    }
}

impl Capture {
    /// Captures what this thread says, until the guard is dropped.
    pub(crate) fn start(level: Level) -> (Self, DefaultGuard) {
        let capture = Self(Arc::new(Inner {
            level,
            lines: Mutex::default(),
            spans: Mutex::default(),
            entered: Mutex::default(),
        }));
        let guard = tracing::subscriber::set_default(capture.clone());
        (capture, guard)
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.0.lines.lock().clone()
    }

    pub(crate) fn spans(&self) -> Vec<SpanRecord> {
        self.0.spans.lock().clone()
    }

    /// The lines that contain this.
    pub(crate) fn find(&self, part: &str) -> Vec<Line> {
        self.lines().into_iter().filter(|line| line.text.contains(part)).collect()
    }

    fn with_span<R>(&self, id: &Id, change: impl FnOnce(&mut SpanRecord) -> R) -> Option<R> {
        self.0.spans.lock().get_mut(index(id)).map(change)
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64()).map_or(usize::MAX, |number| number - 1)
}

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.0.level && metadata.target().starts_with("sockeye")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.0.level))
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut text = Text(attributes.metadata().name().to_owned());
        attributes.record(&mut text);
        let mut spans = self.0.spans.lock();
        spans.push(SpanRecord { metadata: attributes.metadata(), text: text.0, handles: 1 });
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.with_span(id, |span| {
            let mut text = Text(std::mem::take(&mut span.text));
            values.record(&mut text);
            span.text = text.0;
        });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let span = self.0.entered.lock().last().map(index);
        let line = Line { level: *event.metadata().level(), text: text.0, span };
        self.0.lines.lock().push(line);
    }

    fn enter(&self, id: &Id) {
        self.0.entered.lock().push(id.clone());
    }

    fn exit(&self, id: &Id) {
        assert_eq!(self.0.entered.lock().pop().as_ref(), Some(id));
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.with_span(id, |span| span.handles += 1);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.with_span(&id, |span| {
            span.handles -= 1;
            span.is_closed()
        })
        .unwrap_or_default()
    }

    fn current_span(&self) -> Current {
        let Some(id) = self.0.entered.lock().last().cloned() else { return Current::none() };
        let metadata = self.with_span(&id, |span| span.metadata);
        metadata.map_or_else(Current::none, |metadata| Current::new(id, metadata))
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let Self(text) = self;
        let separator = if text.is_empty() { "" } else { " " };
        let written = match field.name() {
            "message" => write!(text, "{separator}{value:?}"),
            name => write!(text, "{separator}{name}={value:?}"),
        };
        written.expect("a string takes everything");
    }
}
