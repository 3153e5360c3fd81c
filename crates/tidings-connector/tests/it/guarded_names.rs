//! What the names of connectors may lead to: checked after they were looked up, before anything is called.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;
use tidings_connector::{ConnectorClient, Phase, Resolver, SendError, ServiceUrlError, ServiceUrlPolicy};

use crate::hello;
use crate::raw_server::{RawServer, answer};

/// Answers every name with the same addresses, and counts how often it is asked.
#[derive(Debug)]
struct Made {
    up: Vec<IpAddr>,
    asked: AtomicUsize,
}

impl Made {
    fn up(addresses: &[IpAddr]) -> Arc<Self> {
        Arc::new(Self {
            up: addresses.to_vec(),
            asked: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Resolver for Made {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // A port that nobody asked for must not be called.
        Ok(self.up.iter().map(|ip| SocketAddr::new(*ip, 1)).collect())
    }
}

async fn call(policy: ServiceUrlPolicy, resolver: Arc<Made>, url: &str) -> Result<(), SendError> {
    let client = ConnectorClient::builder()
        .service_urls(policy)
        .resolver(resolver)
        .build()
        .expect("a client");
    client.send_to_conversation(url, "c", &hello()).await.map(drop)
}

fn refused(error: &SendError) -> Option<&ServiceUrlError> {
    error.source.as_ref()?.downcast_ref()
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn a_name_of_microsoft_that_leads_inside_is_not_called() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    for address in [
        "127.0.0.1",
        "10.0.0.7",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
    ] {
        let resolver = Made::up(&[address.parse().expect(address)]);
        let url = "https://smba.trafficmanager.net/emea/";
        let error = call(ServiceUrlPolicy::microsoft(), Arc::clone(&resolver), url)
            .await
            .expect_err(address);
        assert_eq!(
            (error.phase, error.status),
            (Phase::BeforeBody, None),
            "{address}"
        );
        assert!(error.message.contains("serviceUrl"), "{error}");
        assert!(error.message.contains("TIDINGS_ALLOWED_SERVICE_HOSTS"), "{error}");
        assert!(matches!(refused(&error), Some(ServiceUrlError::Address { .. })));
        assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    }
    assert_eq!(server.connections(), 0);
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_named_host_is_called_at_the_address_that_was_looked_up_once() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let port = server.url.rsplit(':').next().expect("a port").to_owned();
    let url = format!("http://channel.example:{port}/");
    for policy in [
        ServiceUrlPolicy::microsoft().allow("channel.example"),
        ServiceUrlPolicy::local().allow(format!("channel.example:{port}")),
        ServiceUrlPolicy::microsoft().exempt(&url).expect("an address"),
    ] {
        let resolver = Made::up(&[HERE]);
        call(policy, Arc::clone(&resolver), &url).await.expect("sent");
        let request = requests.recv().await.expect("a request");
        assert_eq!(
            request.header("host"),
            Some(format!("channel.example:{port}").as_str())
        );
        assert_eq!(resolver.asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn localhost_is_this_machine_whatever_the_resolver_says() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let url = server.url.replace("127.0.0.1", "localhost");
    let elsewhere = "10.0.0.7".parse().expect("an address");
    let error = call(ServiceUrlPolicy::local(), Made::up(&[elsewhere]), &url)
        .await
        .expect_err("elsewhere");
    assert!(
        matches!(refused(&error), Some(ServiceUrlError::Address { .. })),
        "{error}"
    );
    // The foreign one is left out, the other one called.
    call(ServiceUrlPolicy::local(), Made::up(&[elsewhere, HERE]), &url)
        .await
        .expect("sent");
    requests.recv().await.expect("a request");
}

#[tokio::test]
async fn a_literal_address_needs_no_resolver() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let resolver = Made::up(&[]);
    call(ServiceUrlPolicy::local(), Arc::clone(&resolver), &server.url)
        .await
        .expect("sent");
    requests.recv().await.expect("a request");
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let error = call(
        ServiceUrlPolicy::microsoft(),
        Made::up(&[]),
        "https://webchat.botframework.com/",
    )
    .await
    .expect_err("no address");
    assert_eq!(error.phase, Phase::BeforeBody);
    assert!(error.message.contains("has no address"), "{error}");
}

/// What the standard library and the registries call private, written down a second time.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_unspecified()
                || v4.is_documentation()
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 240
                || (v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]))
        }
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            let embedded = |at: usize| {
                let bytes: [u8; 4] = octets[at..at + 4].try_into().expect("four bytes");
                is_inside(IpAddr::V4(bytes.into()))
            };
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || (v6.to_ipv4_mapped().is_some() && embedded(12))
                || (v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] && embedded(12))
                || (v6.segments()[0] == 0x2002 && embedded(2))
        }
    }
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        (
            prop::sample::select(vec![0_u8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255]),
            any::<[u8; 3]>()
        )
            .prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d)),
        (
            prop::sample::select(vec![
                [192, 168],
                [169, 254],
                [172, 16],
                [172, 31],
                [100, 64],
                [100, 127]
            ]),
            any::<[u8; 2]>()
        )
            .prop_map(|([a, b], [c, d])| Ipv4Addr::new(a, b, c, d)),
    ]
}

fn inside() -> impl Strategy<Value = IpAddr> {
    let v6 = prop_oneof![
        v4().prop_map(|v4| v4.to_ipv6_mapped()),
        v4().prop_map(|v4| {
            let [a, b, c, d] = v4.octets();
            Ipv6Addr::from([0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d])
        }),
        (v4(), any::<[u8; 10]>()).prop_map(|(v4, rest)| {
            let mut octets = [0_u8; 16];
            octets[..2].copy_from_slice(&[0x20, 0x02]);
            octets[2..6].copy_from_slice(&v4.octets());
            octets[6..].copy_from_slice(&rest);
            Ipv6Addr::from(octets)
        }),
        (0_u8..4, any::<u128>()).prop_map(|(kind, bits)| {
            let mut octets = bits.to_be_bytes();
            octets[0] = [0xfc, 0xfd, 0xfe, 0xff][usize::from(kind)];
            if kind == 2 {
                octets[1] = 0x80 | (octets[1] & 0x3f);
            }
            Ipv6Addr::from(octets)
        }),
        (0_u128..2).prop_map(Ipv6Addr::from),
    ];
    prop_oneof![v4().prop_map(IpAddr::V4), v6.prop_map(IpAddr::V6)]
        .prop_filter("only those that lead inside", |address| is_inside(*address))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a resolver makes up, nothing inside is dialled: the call ends with the guard's refusal, and that comes
    /// before any connection is tried.
    #[test]
    fn nothing_inside_is_ever_dialled(addresses in prop::collection::vec(inside(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let error = runtime
            .block_on(call(
                ServiceUrlPolicy::microsoft(),
                Made::up(&addresses),
                "https://smba.trafficmanager.net/emea/",
            ))
            .expect_err("all of them lead inside");
        prop_assert_eq!(error.phase, Phase::BeforeBody);
        prop_assert!(matches!(refused(&error), Some(ServiceUrlError::Address { .. })), "{}", error);
    }
}
