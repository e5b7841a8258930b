use std::future::Future;
use std::pin::Pin;

use sockeye_proto::socket::ToArguments;

use super::context::{EventContext, EventSocket, FromEvent, Rejection};

/// A handler's work, as the driver keeps it while it is not finished.
pub type Work<T = ()> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Functions that can handle an event: async, with up to six parameters that are [`FromEvent`].
///
/// What the function returns is the acknowledgement, if the client wants one: a tuple is several
/// values, `()` none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event handler",
    note = "an event handler is an async function or closure whose parameters are `FromEvent`, \
            and whose return value is `Serialize`; a closure that captures variables is written \
            `move |…| {{ let captured = captured.clone(); async move {{ … }} }}`",
    note = "the socket, its acknowledgements and what a handler may take belong to one side: on a \
            client it is `sockeye::client::Socket`, on a server `sockeye::Socket`"
)]
pub trait EventHandler<S: EventSocket, Parameters>: Send + Sync + 'static {
    /// Takes the parameters from the event and starts the function.
    ///
    /// # Errors
    /// The first parameter that could not be had.
    fn call(&self, event: &EventContext<'_, S>) -> Result<Work, Rejection>;
}

macro_rules! event_handlers {
    ($($parameter:ident),*) => {
        impl<S, F, Fut, R, $($parameter),*> EventHandler<S, ($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = R> + Send + 'static,
            R: ToArguments + Send,
            S: EventSocket,
            $($parameter: FromEvent<S>),*
        {
            fn call(&self, event: &EventContext<'_, S>) -> Result<Work, Rejection> {
                let work = self($($parameter::from_event(event)?),*);
                Ok(match event.answer_with::<R>() {
                    Some(acknowledgement) => Box::pin(async move {
                        // A client that is gone needs no answer.
                        let _ = acknowledgement.send(work.await);
                    }),
                    None => Box::pin(async move {
                        work.await;
                    }),
                })
            }
        }
    };
}

event_handlers!();
event_handlers!(A);
event_handlers!(A, B);
event_handlers!(A, B, C);
event_handlers!(A, B, C, D);
event_handlers!(A, B, C, D, E);
event_handlers!(A, B, C, D, E, G);

/// A handler without its parameter list.
pub(crate) type AnyEventHandler<S> =
    Box<dyn Fn(&EventContext<'_, S>) -> Result<Work, Rejection> + Send + Sync>;
/// A middleware for events, without its parameter list.
pub(crate) type AnyEventMiddleware<S> = Box<
    dyn Fn(&EventContext<'_, S>) -> Result<Work<Result<(), Rejection>>, Rejection> + Send + Sync,
>;
