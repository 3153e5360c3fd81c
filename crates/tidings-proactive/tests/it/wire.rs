//! The engine with the real connector client, against channels that fail on every part of the way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidings_activity::{Activity, ConversationReference};
use tidings_connector::{ConnectorClient, Phase, Resolver, SendError, ServiceUrlPolicy};
use tidings_proactive::{
    Channel, DeliveryDetail, DeliveryId, DeliveryState, Enqueue, Outgoing, UnknownPolicy,
};
use tidings_store::DatabaseOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, options, reference};

/// Sends as the server does.
struct Way(ConnectorClient);

#[async_trait]
impl Channel for Way {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let missing = || SendError::new(Phase::Refused, "the reference is not whole");
        let service_url = outgoing.conversation.service_url.as_deref().ok_or_else(missing)?;
        let id = outgoing.conversation.conversation_id().ok_or_else(missing)?;
        let sent = self
            .0
            .send_to_conversation(service_url, id, outgoing.activity)
            .await?;
        Ok(Some(sent.id))
    }
}

/// A name server that is gone.
#[derive(Debug)]
struct NoAnswer;

#[async_trait]
impl Resolver for NoAnswer {
    async fn resolve(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("the name server does not answer"))
    }
}

/// An engine whose way leads over a network.
struct Rig {
    desk: Desk,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Rig {
    fn new(timeout: Duration) -> Rig {
        let client = ConnectorClient::builder()
            .service_urls(ServiceUrlPolicy::local().allow("channel.example"))
            .resolver(Arc::new(NoAnswer))
            .timeout(timeout)
            .build()
            .unwrap();
        let mut options = options(4);
        options.poll_every = Duration::from_millis(5);
        let desk = Desk::on(DatabaseOptions::temporary(), options);
        let (proactive, stop) = (desk.proactive.clone(), CancellationToken::new());
        let token = stop.clone();
        let worker = tokio::spawn(async move { proactive.run(Arc::new(Way(client)), token).await.unwrap() });
        Rig { desk, stop, worker }
    }

    async fn owe(&self, service_url: &str, policy: UnknownPolicy) -> DeliveryId {
        let to = ConversationReference {
            service_url: Some(service_url.to_owned()),
            ..reference("alice")
        };
        let owed = Enqueue::new(&self.desk.proactive, to, &Activity::message("hello")).unwrap();
        owed.policy(policy).commit().await.unwrap()
    }

    async fn detail(&self, id: DeliveryId) -> DeliveryDetail {
        self.desk
            .proactive
            .deliveries()
            .detail(id)
            .await
            .unwrap()
            .unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.worker.await.unwrap();
        self.desk.check().await;
    }
}

/// A channel that reads each request, says so, and answers what it is told to when it is told to.
struct Server {
    url: String,
    requests: mpsc::UnboundedReceiver<String>,
    may_answer: Arc<Semaphore>,
}

impl Server {
    async fn answering(status: &'static str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, requests) = mpsc::unbounded_channel();
        let may_answer = Arc::new(Semaphore::new(0));
        let permits = Arc::clone(&may_answer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, status, seen.clone(), Arc::clone(&permits)));
            }
        });
        Server {
            url,
            requests,
            may_answer,
        }
    }

    /// Waits for a request, up to the end of its body.
    async fn request(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }

    fn answer(&self) {
        self.may_answer.add_permits(1);
    }
}

async fn serve(
    mut stream: TcpStream,
    status: &'static str,
    seen: mpsc::UnboundedSender<String>,
    may_answer: Arc<Semaphore>,
) {
    let mut received = Vec::new();
    while let Ok(read @ 1..) = stream.read_buf(&mut received).await {
        let text = String::from_utf8_lossy(&received).into_owned();
        // The activity ends its own JSON, and nothing comes after it.
        if read == 0 || !text.ends_with('}') {
            continue;
        }
        received.clear();
        // The test may be over.
        let _ = seen.send(text);
        may_answer.acquire().await.unwrap().forget();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{{\"id\":\"1\"}}"
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

/// A channel whose certificate nobody trusts; it reports how each handshake ended.
async fn untrusted() -> (String, mpsc::UnboundedReceiver<io::Result<()>>) {
    let chain = CertificateDer::from_pem_slice(include_bytes!("../../../tidings-store/tests/tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tidings-store/tests/tls/server.key"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain.unwrap()], key.unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ended, handshakes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = ended.send(acceptor.accept(stream).await.map(drop));
        }
    });
    (format!("https://127.0.0.1:{port}"), handshakes)
}

/// The first attempt, as its outcome, status and what was said.
fn first(detail: &DeliveryDetail) -> (&str, Option<u16>, &str) {
    let attempt = &detail.attempts[0];
    (
        attempt.outcome.as_str(),
        attempt.status,
        attempt.message.as_deref().unwrap_or_default(),
    )
}

#[tokio::test]
async fn what_cannot_leave_is_known_not_to_have_arrived() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let (untrusted, mut handshakes) = untrusted().await;
    for (url, says) in [
        ("https://channel.example", "the name server does not answer"),
        (&*untrusted, "certificate"),
        (&*refused, "refused"),
    ] {
        let rig = Rig::new(Duration::from_secs(12));
        // Also what must not arrive twice is tried again: nothing of it left.
        let id = rig.owe(url, UnknownPolicy::AtMostOnce).await;
        rig.desk.until(id, DeliveryState::Retryable).await;
        let detail = rig.detail(id).await;
        let (outcome, status, message) = first(&detail);
        assert_eq!((outcome, status), ("not_sent", None), "{url}");
        assert!(message.to_lowercase().contains(says), "{message}");
        let failure = detail.delivery.last_failure.as_ref().unwrap();
        assert_eq!(failure.message, message);
        assert_eq!(detail.waits.last().unwrap().reason, "backoff", "{url}");
        assert!(!detail.delivery.repeat_possible, "{url}");
        rig.desk.clock.advance(SignedDuration::from_secs(1));
        let again = rig.desk.until_start(id, 2, DeliveryState::Retryable).await;
        assert!(!again.repeat_possible, "{url}");
        // As long as it goes on, and then it is over, and still nobody has to wonder.
        rig.desk.clock.set(again.expires_at);
        let expired = rig.desk.until(id, DeliveryState::Expired).await;
        assert!(!expired.repeat_possible, "{url}");
        rig.stop().await;
    }
    assert!(
        handshakes.recv().await.unwrap().is_err(),
        "the handshake was refused"
    );
}

#[tokio::test]
async fn a_slow_channel_is_waited_for() {
    let mut server = Server::answering("200 OK").await;
    let rig = Rig::new(Duration::from_secs(60));
    let id = rig.owe(&server.url, UnknownPolicy::AtMostOnce).await;
    let behind = rig.owe(&server.url, UnknownPolicy::AtMostOnce).await;
    assert!(server.request().await.contains("hello"));
    assert_eq!(rig.desk.delivery(id).await.state, DeliveryState::Sending);
    assert_eq!(rig.desk.delivery(behind).await.state, DeliveryState::Available);
    server.answer();
    let delivered = rig.desk.until(id, DeliveryState::Delivered).await;
    assert_eq!(
        (delivered.starts, delivered.activity_id.as_deref()),
        (1, Some("1"))
    );
    server.request().await;
    server.answer();
    rig.desk.until(behind, DeliveryState::Delivered).await;
    assert!(rig.detail(id).await.delivery.last_failure.is_none());
    rig.stop().await;
}

#[tokio::test]
async fn a_channel_that_takes_it_and_answers_500_leaves_it_unknown() {
    for policy in [UnknownPolicy::AtMostOnce, UnknownPolicy::AtLeastOnce] {
        let mut server = Server::answering("500 Internal Server Error").await;
        let rig = Rig::new(Duration::from_secs(60));
        let id = rig.owe(&server.url, policy).await;
        assert!(server.request().await.contains("hello"));
        server.answer();
        after_the_body(&rig, id, policy, Some(500)).await;
        if policy == UnknownPolicy::AtLeastOnce {
            rig.desk.clock.advance(SignedDuration::from_secs(1));
            assert!(server.request().await.contains("hello"), "sent again");
        }
        server.answer();
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_channel_that_takes_it_and_answers_nothing_leaves_it_unknown() {
    for policy in [UnknownPolicy::AtMostOnce, UnknownPolicy::AtLeastOnce] {
        let mut server = Server::answering("200 OK").await;
        let rig = Rig::new(Duration::from_millis(100));
        let id = rig.owe(&server.url, policy).await;
        assert!(server.request().await.contains("hello"));
        after_the_body(&rig, id, policy, None).await;
        rig.stop().await;
    }
}

/// What left and was not answered for is unknown, and its policy decides.
async fn after_the_body(rig: &Rig, id: DeliveryId, policy: UnknownPolicy, status: Option<u16>) {
    let state = match policy {
        UnknownPolicy::AtMostOnce => DeliveryState::Unknown,
        _ => DeliveryState::Retryable,
    };
    rig.desk.until(id, state).await;
    let detail = rig.detail(id).await;
    let (outcome, told, message) = first(&detail);
    assert_eq!((outcome, told), ("unknown", status), "{message}");
    assert!(!message.is_empty());
    assert!(detail.delivery.repeat_possible);
    assert_eq!((detail.delivery.starts, detail.attempts.len()), (1, 1));
}
