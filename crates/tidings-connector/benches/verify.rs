//! What it costs to let a channel in, with the keys at hand: `authenticate`, beside aws-lc's bare RS256 verification of
//! the same token.

use std::hint::black_box;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use tidings_connector::jwt::{Authenticator, AuthenticatorOptions, Facts};
use tidings_connector::test_idp::{TestIdp, TestKey, TokenDraft};
use tidings_connector::{AppRegistration, AppType};

const APP: &str = "11111111-2222-4333-8444-555555555555";
const SERVICE_URL: &str = "https://smba.trafficmanager.net/teams/";
const FACTS: Facts<'static> = Facts {
    channel_id: Some("msteams"),
    service_url: Some(SERVICE_URL),
};

fn verify(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let draft = TokenDraft::channel(APP, SERVICE_URL);
    let headers = draft.headers();
    let (idp, authenticator) = runtime.block_on(async {
        let idp = TestIdp::start().await;
        let registration = AppRegistration {
            app_id: APP.to_owned(),
            app_type: AppType::MultiTenant,
            tenant_id: None,
        };
        let options = AuthenticatorOptions::new(&registration, &idp.cloud()).expect("the options make sense");
        let authenticator = Authenticator::new(options);
        authenticator.load_keys().await.expect("the provider is there");
        (idp, authenticator)
    });

    let token = draft.mint();
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let der = TestKey::Channel.public_der();
    let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).expect("a key");
    let unparsed = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der);

    let mut group = criterion.benchmark_group("verify");
    group.bench_function("authenticate", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(authenticator.authenticate(black_box(&headers), FACTS))
                .expect("a good token")
        });
    });
    group.bench_function("bare-parsed-key", |bencher| {
        bencher.iter(|| {
            parsed
                .verify_sig(black_box(message.as_bytes()), black_box(&signature))
                .expect("a good signature");
        });
    });
    group.bench_function("bare-key-in-der", |bencher| {
        bencher.iter(|| {
            unparsed
                .verify(black_box(message.as_bytes()), black_box(&signature))
                .expect("a good signature");
        });
    });
    group.finish();
    drop(idp);
}

criterion_group!(benches, verify);
criterion_main!(benches);
