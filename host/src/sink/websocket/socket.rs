use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{self, Sleep};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error};

use super::format::Format;
use super::identity::Identity;
use super::message::Message;
use super::outcome::{Outcome, Progress};
use super::session::{Disconnect, Event, Frame, Input, Output, Session, Settings};
use super::target::Target;
use crate::dial::{self, DialError, DialFailure, Proxy, Tls, WebSocket};

/// A server, and the way to it.
#[derive(Clone, Debug)]
pub struct Server {
    /// What to request where.
    pub target: Target,
    /// Whom to trust, if it speaks TLS. Share one among all deliveries.
    pub tls: Tls,
    /// What it is reached through.
    pub proxy: Option<Proxy>,
}

/// What to send where.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The server.
    pub server: Server,
    /// Whose sound it is.
    pub identity: Identity,
    /// What the binary messages hold, until a [`Message::Open`] says otherwise. Whoever fills the
    /// channel makes them so.
    pub format: Format,
    /// How the delivery behaves.
    pub settings: Settings,
}

/// The task of a delivery: moves bytes and time between a [`Session`] and its socket.
#[derive(Debug)]
pub struct WebSocketSink {
    delivery: Delivery,
    messages: mpsc::Receiver<Message>,
    /// Whether anybody can still send messages.
    is_fed: bool,
    progress: watch::Sender<Progress>,
}

/// A window to watch a delivery by.
pub type Watch = watch::Receiver<Progress>;

enum Link {
    Down,
    Dialling(Dialling),
    Up(Box<WebSocket>),
}

type Dialling = Pin<Box<dyn Future<Output = Result<WebSocket, DialError>> + Send>>;

impl WebSocketSink {
    /// A delivery, and the channel that feeds it. The channel holds 64 messages. It fills only while
    /// the task gets no CPU, because what the server does not take waits in the session: whoever
    /// finds it full drops and counts. When all senders are gone, the delivery comes to its end.
    pub fn new(delivery: Delivery) -> (Self, mpsc::Sender<Message>) {
        let (feed, messages) = mpsc::channel(QUEUE);
        let sink = Self {
            delivery,
            messages,
            is_fed: true,
            progress: watch::Sender::default(),
        };
        (sink, feed)
    }

    /// A window to watch the delivery by.
    pub fn progress(&self) -> Watch {
        self.progress.subscribe()
    }

    /// Delivers until the track or the server has had enough. If the wait is given up, the connection
    /// breaks without a farewell; nothing else is left behind.
    pub async fn run(mut self) -> Outcome {
        let Delivery {
            identity,
            format,
            settings,
            ..
        } = self.delivery.clone();
        let mut session = Session::new(settings, identity, format, now());
        let mut link = Link::Down;
        let mut timer = pin!(time::sleep(time::Duration::ZERO));
        loop {
            if let Some(outcome) = self.carry_out(&mut session, &mut link) {
                return outcome;
            }
            match self.wait(&mut session, &mut link, timer.as_mut()).await {
                Some(input) => session.handle_input(input, now()),
                None => session.handle_timeout(now()),
            }
        }
    }

    /// Does what the session wants done. Returns how it ended, if it did.
    fn carry_out(&self, session: &mut Session, link: &mut Link) -> Option<Outcome> {
        show(&self.progress, session);
        while let Some(output) = session.poll_output() {
            match output {
                Output::Dial => *link = Link::Dialling(self.dial()),
                Output::HangUp => *link = Link::Down,
                Output::Event(event) => self.log(&event),
                Output::Ended(outcome) => return Some(*outcome),
            }
        }
        None
    }

    /// Waits for whatever comes first; `None` if it is time. Moves what can be moved meanwhile.
    async fn wait(
        &mut self,
        session: &mut Session,
        link: &mut Link,
        mut timer: Pin<&mut Sleep>,
    ) -> Option<Input> {
        let deadline = session.poll_timeout().map(time::Instant::from_std);
        if let Some(deadline) = deadline.filter(|deadline| *deadline != timer.deadline()) {
            timer.as_mut().reset(deadline);
        }
        let Self {
            messages,
            is_fed,
            progress,
            ..
        } = self;
        let exchange = |cx: &mut Context<'_>| {
            let input = link.poll(session, cx);
            show(progress, session);
            input
        };
        tokio::select! {
            input = poll_fn(exchange) => Some(input),
            message = messages.recv(), if *is_fed => {
                *is_fed = message.is_some();
                Some(message.map_or(Input::Finish, Input::Message))
            }
            () = timer, if deadline.is_some() => None,
        }
    }

    fn dial(&self) -> Dialling {
        let Delivery {
            server: Server { target, tls, proxy },
            identity,
            format,
            ..
        } = self.delivery.clone();
        Box::pin(async move {
            let request = request(&target, &identity, format)?;
            let (endpoint, proxy) = (target.endpoint(), proxy.as_ref());
            let socket = dial::connect(request, endpoint, &tls, proxy, limits()).await?;
            if let Err(error) = dial::limit_send_buffer(&socket, SEND_BUFFER) {
                tracing::debug!(%error, "Cannot bound the send buffer of a WebSocket.");
            }
            Ok(socket)
        })
    }

    fn log(&self, event: &Event) {
        let target = &self.delivery.server.target;
        match event {
            Event::Connected {
                connection,
                attempts,
                after,
            } => tracing::info!(%target, connection, attempts, ?after, "The WebSocket is open."),
            Event::Reconnecting {
                cause,
                delay,
                unconfirmed,
            } => {
                tracing::warn!(%target, cause, ?delay, ?unconfirmed, "No WebSocket; dialling again.");
            }
            Event::Dropping => {
                tracing::error!(%target, "Dropping the oldest sound: the server does not take it.");
            }
            Event::KeptUp { dropped } => {
                tracing::warn!(%target, ?dropped, "The server has caught up; sound was dropped.");
            }
        }
    }
}

impl Link {
    /// Moves what can be moved, until there is something that the session must know.
    fn poll(&mut self, session: &mut Session, cx: &mut Context<'_>) -> Poll<Input> {
        let (link, input) = match self {
            Self::Down => return Poll::Pending,
            Self::Dialling(dialling) => match ready!(dialling.as_mut().poll(cx)) {
                Ok(socket) => (Self::Up(Box::new(socket)), Input::Connected),
                Err(error) => (Self::Down, Input::DialFailed(error)),
            },
            Self::Up(socket) => match ready!(exchange(socket, session, cx)) {
                input @ Input::Disconnected(_) => (Self::Down, input),
                input => return Poll::Ready(input),
            },
        };
        *self = link;
        Poll::Ready(input)
    }
}

/// Reads before it writes: a server that closes the connection says why before writing fails.
fn exchange(socket: &mut WebSocket, session: &mut Session, cx: &mut Context<'_>) -> Poll<Input> {
    if let Poll::Ready(input) = hear(socket, cx) {
        return Poll::Ready(input);
    }
    match ready!(hand_over(socket, session, cx)) {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(match hear(socket, cx) {
            Poll::Ready(input @ Input::Disconnected(_)) => input,
            _ => broken(&error),
        }),
    }
}

/// What the server says that the session must know. Its pings are answered by the library as soon as
/// the next message is looked for; its words are not for us.
fn hear(socket: &mut WebSocket, cx: &mut Context<'_>) -> Poll<Input> {
    for _ in 0..MESSAGES_AT_ONCE {
        return Poll::Ready(match ready!(socket.poll_next_unpin(cx)) {
            Some(Ok(tungstenite::Message::Pong(payload))) => Input::Pong(payload),
            Some(Ok(tungstenite::Message::Close(frame))) => {
                // The farewell that the library has ready goes out if there is room for it.
                drop(socket.poll_flush_unpin(cx));
                closed(frame)
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => broken(&error),
            None => closed(None),
        });
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Hands over what the socket takes; ready only if it is of no use any more.
fn hand_over(
    socket: &mut WebSocket,
    session: &mut Session,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Error>> {
    loop {
        ready!(socket.poll_ready_unpin(cx))?;
        let Some(frame) = session.poll_frame(now()) else {
            break;
        };
        socket.start_send_unpin(message(frame))?;
    }
    socket.poll_flush_unpin(cx)
}

fn show(progress: &watch::Sender<Progress>, session: &Session) {
    let now = session.progress();
    progress.send_if_modified(|shown| {
        let is_new = *shown != now;
        *shown = now;
        is_new
    });
}

fn message(frame: Frame) -> tungstenite::Message {
    match frame {
        Frame::Binary(bytes) => tungstenite::Message::Binary(bytes),
        Frame::Text(text) => tungstenite::Message::text(text),
        Frame::Ping(payload) => tungstenite::Message::Ping(payload),
        Frame::Close => tungstenite::Message::Close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        })),
    }
}

fn closed(frame: Option<CloseFrame>) -> Input {
    let code = frame.as_ref().map(|frame| u16::from(frame.code));
    let reason = frame.map(|frame| dial::legible(&frame.reason));
    Input::Disconnected(Disconnect::Closed {
        code,
        reason: reason.unwrap_or_default(),
    })
}

fn broken(error: &Error) -> Input {
    let words = match error {
        Error::ConnectionClosed | Error::AlreadyClosed => return closed(None),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            "the server hung up without a farewell".to_owned()
        }
        error => dial::legible(&error.to_string()),
    };
    Input::Disconnected(Disconnect::Broken(words))
}

fn request(target: &Target, identity: &Identity, format: Format) -> Result<Request, DialError> {
    let mut request = target
        .url(identity)
        .into_client_request()
        .map_err(|error| DialError::new(DialFailure::Request, error))?;
    request.headers_mut().extend(target.headers(format));
    Ok(request)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
}

/// The clock of the runtime, which tests can stop.
fn now() -> Instant {
    time::Instant::now().into_std()
}

/// A second and a quarter of 20 ms frames.
const QUEUE: usize = 64;
/// The default of 128 KiB costs 121 KB of memory a connection, and is zeroed at every read.
const READ_BUFFER: usize = 4 << 10;
/// One message is written at a time; this is what is left of it, and pongs.
const WRITE_BUFFER: usize = 64 << 10;
/// What the kernel may hold: what it holds when a connection breaks is lost.
const SEND_BUFFER: usize = 64 << 10;
/// What a server may say; it is not listened to.
const LARGEST_MESSAGE: usize = 1 << 20;
/// So that a server that never stops talking does not keep us from sending.
const MESSAGES_AT_ONCE: usize = 16;
