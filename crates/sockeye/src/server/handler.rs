use std::future::Future;

use super::error::ConnectError;
use super::extract::{
    ConnectContext, DisconnectContext, EventContext, FromConnect, FromDisconnect,
};
use super::socket::Socket;
use crate::event::{FromEvent, Rejection, Work};

/// Functions that can be called when a client has connected: async, with up to six parameters that
/// are [`FromConnect`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connect handler",
    note = "a connect handler is an async function or closure whose parameters are `FromConnect`"
)]
pub trait ConnectHandler<Parameters>: Send + Sync + 'static {
    /// Takes the parameters and makes the function's future. It is polled when the client is in,
    /// and dropped if the client is refused.
    ///
    /// # Errors
    /// The first parameter that could not be had; the client is refused.
    fn call(&self, connect: &ConnectContext<'_>) -> Result<Work, Rejection>;
}

/// Functions that can be called when a socket has disconnected: async, with up to six parameters
/// that are [`FromDisconnect`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a disconnect handler",
    note = "a disconnect handler is an async function or closure whose parameters are \
            `FromDisconnect`"
)]
pub trait DisconnectHandler<Parameters>: Send + Sync + 'static {
    /// Starts the function.
    fn call(&self, disconnect: &DisconnectContext<'_>) -> Work;
}

/// Functions that decide whether a client may join: async, with up to six parameters that are
/// [`FromConnect`], and returning `Result<(), ConnectError>` (S-041).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware",
    note = "a middleware is an async function or closure whose parameters are `FromConnect`, and \
            which returns `Result<(), ConnectError>`"
)]
pub trait Middleware<Parameters>: Send + Sync + 'static {
    /// Starts the function.
    ///
    /// # Errors
    /// The first parameter that could not be had; the client is refused.
    fn call(
        &self,
        connect: &ConnectContext<'_>,
    ) -> Result<Work<Result<(), ConnectError>>, Rejection>;
}

/// Functions that decide whether an event reaches its handlers: async, with up to six parameters
/// that are [`FromEvent`], and returning `Result<(), Rejection>` (S-043).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event middleware",
    note = "an event middleware is an async function or closure whose parameters are `FromEvent`, \
            and which returns `Result<(), Rejection>`"
)]
pub trait EventMiddleware<Parameters>: Send + Sync + 'static {
    /// Starts the function.
    ///
    /// # Errors
    /// The first parameter that could not be had; the event is dropped.
    fn call(&self, event: &EventContext<'_>) -> Result<Work<Result<(), Rejection>>, Rejection>;
}

macro_rules! handlers {
    ($($parameter:ident),*) => {
        impl<F, Fut, $($parameter),*> EventMiddleware<($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<(), Rejection>> + Send + 'static,
            $($parameter: FromEvent<Socket>),*
        {
            #[allow(unused_variables)]
            fn call(
                &self,
                event: &EventContext<'_>,
            ) -> Result<Work<Result<(), Rejection>>, Rejection> {
                Ok(Box::pin(self($($parameter::from_event(event)?),*)))
            }
        }

        impl<F, Fut, $($parameter),*> ConnectHandler<($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = ()> + Send + 'static,
            $($parameter: FromConnect),*
        {
            #[allow(unused_variables)]
            fn call(&self, connect: &ConnectContext<'_>) -> Result<Work, Rejection> {
                Ok(Box::pin(self($($parameter::from_connect(connect)?),*)))
            }
        }

        impl<F, Fut, $($parameter),*> DisconnectHandler<($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = ()> + Send + 'static,
            $($parameter: FromDisconnect),*
        {
            #[allow(unused_variables)]
            fn call(&self, disconnect: &DisconnectContext<'_>) -> Work {
                Box::pin(self($($parameter::from_disconnect(disconnect)),*))
            }
        }

        impl<F, Fut, $($parameter),*> Middleware<($($parameter,)*)> for F
        where
            F: Fn($($parameter),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<(), ConnectError>> + Send + 'static,
            $($parameter: FromConnect),*
        {
            #[allow(unused_variables)]
            fn call(
                &self,
                connect: &ConnectContext<'_>,
            ) -> Result<Work<Result<(), ConnectError>>, Rejection> {
                Ok(Box::pin(self($($parameter::from_connect(connect)?),*)))
            }
        }
    };
}

handlers!();
handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);
handlers!(A, B, C, D, E);
handlers!(A, B, C, D, E, G);

/// The handlers of a namespace, without their parameter lists.
pub(super) type AnyEventHandler = crate::event::AnyEventHandler<Socket>;
pub(super) type AnyConnectHandler =
    Box<dyn Fn(&ConnectContext<'_>) -> Result<Work, Rejection> + Send + Sync>;
pub(super) type AnyDisconnectHandler = Box<dyn Fn(&DisconnectContext<'_>) -> Work + Send + Sync>;
pub(super) type AnyMiddleware = Box<
    dyn Fn(&ConnectContext<'_>) -> Result<Work<Result<(), ConnectError>>, Rejection> + Send + Sync,
>;
pub(super) type AnyEventMiddleware = crate::event::AnyEventMiddleware<Socket>;
