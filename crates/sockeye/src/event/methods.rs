/// The methods that namespaces and sockets of the server have alike, and those of the client: `$change`
/// changes their [`Listeners`](super::listeners::Listeners), `$read` reads them.
macro_rules! listening_methods {
    ($owner:literal, $change:ident, $read:ident) => {
        /// Calls `handler` for each event of this name, after those given before.
        ///
        #[doc = $owner]
        ///
        /// What a handler returns is the acknowledgement, if the other side wants one. Of several
        /// handlers the first that takes [`Option<Acknowledgement>`](crate::Acknowledgement) or
        /// returns anything but `()` answers; if there is none, the last one does, with nothing.
        /// Handlers of one socket start in the order of its events; they overlap only while they
        /// wait.
        ///
        /// # Panics
        /// If the name is reserved (S-014): no such event can be sent.
        #[track_caller]
        pub fn on<P, H: EventHandler<Socket, P>>(&self, event: &str, handler: H) -> &Self {
            self.add_listener(event, handler);
            self
        }

        /// The same as [`on`](Self::on), giving what removes this one listener again:
        /// [`remove_listener`](Self::remove_listener).
        ///
        /// # Panics
        /// If the name is reserved (S-014).
        #[track_caller]
        pub fn add_listener<P, H: EventHandler<Socket, P>>(
            &self,
            event: &str,
            handler: H,
        ) -> ListenerId {
            assert_not_reserved(event);
            let listener = Listener::new(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add(event, listener.clone()));
            listener.id()
        }

        /// Calls `handler` for the next event of this name and then never again; Socket.IO's
        /// `once`.
        ///
        #[doc = $owner]
        ///
        /// # Panics
        /// If the name is reserved (S-014).
        #[track_caller]
        pub fn once<P, H: EventHandler<Socket, P>>(&self, event: &str, handler: H) -> ListenerId {
            assert_not_reserved(event);
            let listener = Listener::once(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add(event, listener.clone()));
            listener.id()
        }

        /// Removes all listeners of an event, as `removeAllListeners(event)` does.
        pub fn off(&self, event: &str) -> &Self {
            self.$change(|listeners| listeners.off(event));
            self
        }

        /// Removes one listener, of an event or a catch-all one. One that is unknown, or removed
        /// already, is not an error.
        pub fn remove_listener(&self, id: ListenerId) -> &Self {
            self.$change(|listeners| listeners.remove(id));
            self
        }

        /// How many listeners an event has.
        #[must_use]
        pub fn listeners(&self, event: &str) -> usize {
            self.$read(|listeners| listeners.of_event(event).len())
        }

        /// Calls `handler` for every event that arrives, before event middlewares and other
        /// handlers (S-044, S-073). What it returns is not sent; it may take the right to answer.
        pub fn on_any<P, H: EventHandler<Socket, P>>(&self, handler: H) -> ListenerId {
            let listener = Listener::new(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add_any(listener.clone(), Position::Last));
            listener.id()
        }

        /// The same as [`on_any`](Self::on_any), before those given before.
        pub fn prepend_any<P, H: EventHandler<Socket, P>>(&self, handler: H) -> ListenerId {
            let listener = Listener::new(ListenerId::next(), erase(handler));
            self.$change(|listeners| listeners.add_any(listener.clone(), Position::First));
            listener.id()
        }

        /// Removes all listeners for every event that arrives.
        pub fn off_any(&self) -> &Self {
            self.$change(Listeners::off_any);
            self
        }

        /// How many listeners there are for every event that arrives.
        #[must_use]
        pub fn listeners_any(&self) -> usize {
            self.$read(|listeners| listeners.any().len())
        }

        /// Calls `listener` for every event that is sent to a socket, also by a broadcast, with
        /// the socket, the event's name and its arguments; not for acknowledgements (S-073).
        ///
        /// It is called by whoever emits, so it must be quick. One that panics is logged.
        pub fn on_any_outgoing(
            &self,
            listener: impl Fn(&Socket, &str, Arguments<'_>) + Send + Sync + 'static,
        ) -> ListenerId {
            let listener: Arc<crate::event::OutgoingListener<Socket>> = Arc::new(listener);
            let listener = Listener::new(ListenerId::next(), listener);
            self.$change(|listeners| listeners.add_outgoing(listener.clone(), Position::Last));
            listener.id()
        }

        /// The same as [`on_any_outgoing`](Self::on_any_outgoing), before those given before.
        pub fn prepend_any_outgoing(
            &self,
            listener: impl Fn(&Socket, &str, Arguments<'_>) + Send + Sync + 'static,
        ) -> ListenerId {
            let listener: Arc<crate::event::OutgoingListener<Socket>> = Arc::new(listener);
            let listener = Listener::new(ListenerId::next(), listener);
            self.$change(|listeners| listeners.add_outgoing(listener.clone(), Position::First));
            listener.id()
        }

        /// Removes all listeners for every event that is sent.
        pub fn off_any_outgoing(&self) -> &Self {
            self.$change(Listeners::off_any_outgoing);
            self
        }

        /// How many listeners there are for every event that is sent.
        #[must_use]
        pub fn listeners_any_outgoing(&self) -> usize {
            self.$read(|listeners| listeners.any_outgoing().len())
        }
    };
}

pub(crate) use listening_methods;
