use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use trackmill::dial::DialFailure;
use trackmill::sink::websocket::Failure;

use super::server::{Peer, Server};
use super::*;

#[tokio::test]
async fn a_server_with_a_certificate_of_a_given_root_is_trusted() {
    let server = Server::start().await;
    let root = Root::named("ours");
    let acceptor = root.issue("localhost");
    let mut delivery = delivery(&url(&server), Settings::default());
    delivery.server.tls = root.tls();
    let (sink, sender) = WebSocketSink::new(delivery);
    let receive = async {
        let (tcp, _) = server.listener.accept().await.unwrap();
        let tls = acceptor.accept(tcp).await.unwrap();
        Peer::upgrade(tls).await.hear_all().await
    };
    let send = async {
        feed(&sender, 0..100, 640).await;
        drop(sender);
    };

    let (outcome, heard, ()) = tokio::join!(sink.run(), receive, send);

    assert!(is_finished(&outcome), "{:?}", outcome.ending);
    assert_eq!(heard.numbers(), (0..100).collect::<Vec<_>>());
    assert_eq!(heard.code, Some(1000));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_says_what_to_do() {
    let root = Root::named("ours");
    for (tls, name, remedy) in [
        (
            Root::named("theirs").tls(),
            "localhost",
            "does not trust who issued",
        ),
        (root.tls(), "elsewhere.example", "for another name"),
    ] {
        let server = Server::start().await;
        let acceptor = root.issue(name);
        let mut delivery = delivery(&url(&server), Settings::default());
        delivery.server.tls = tls;
        let refuse = async {
            let (tcp, _) = server.listener.accept().await.unwrap();
            assert!(acceptor.accept(tcp).await.is_err(), "the client hangs up");
        };

        let (outcome, ()) = tokio::join!(outcome(delivery), refuse);

        let Ending::Failed(Failure::Dial(error)) = &outcome.ending else {
            panic!("{:?}", outcome.ending);
        };
        assert_eq!(error.failure, DialFailure::Tls);
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

/// An authority of our own.
struct Root {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Root {
    fn named(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a root").pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    fn tls(&self) -> Tls {
        Tls::only(self.pem.as_bytes()).expect("a root")
    }

    fn issue(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a configuration");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn url(server: &Server) -> String {
    let port = server.listener.local_addr().expect("an address").port();
    format!("wss://localhost:{port}/")
}
