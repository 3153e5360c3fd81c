use secrecy::ExposeSecret;
use tidings_store::ManualClock;

use super::*;
use crate::audit::Audit;
use crate::schema;

const NOON: &str = "2026-11-27T12:00:00Z";

async fn keys(most: usize) -> (Keys, Database, ManualClock) {
    let database = schema::test_database();
    let clock = ManualClock::new(NOON.parse().unwrap());
    let keys = Keys::open_with(database.clone(), Arc::new(clock.clone()), most)
        .await
        .unwrap();
    (keys, database, clock)
}

fn new(name: &str) -> NewKey {
    NewKey {
        name: name.to_owned(),
        scopes: vec![Scope::JobsWrite, Scope::AuditRead, Scope::JobsWrite],
        expires_at: None,
    }
}

fn proof(keys: &Keys, created: &CreatedKey) -> Result<String, BadKey> {
    let token = Token::read(created.text.expose_secret()).unwrap();
    keys.prove(&token).map(|proved| proved.id)
}

#[tokio::test]
async fn a_key_opens_also_after_a_restart_and_its_secret_is_nowhere() {
    let (keys, database, clock) = keys(10).await;
    clock.advance(SignedDuration::from_nanos(123_456_789));
    let expires_at = Some(clock.now() + SignedDuration::from_secs(60));
    let wanted = NewKey {
        expires_at,
        ..new(" CI ")
    };
    let created = keys.create(wanted, None).await.unwrap();
    assert_eq!(created.key.name, "CI");
    assert_eq!(created.key.scopes, [Scope::JobsWrite, Scope::AuditRead]);
    assert_eq!(proof(&keys, &created), Ok(created.key.id.clone()));
    let again = Keys::open(database.clone(), Arc::new(clock)).await.unwrap();
    assert_eq!(proof(&again, &created), Ok(created.key.id.clone()));
    assert_eq!(again.list().await.unwrap(), keys.list().await.unwrap());
    let secret = created
        .text
        .expose_secret()
        .rsplit('_')
        .next()
        .unwrap()
        .to_owned();
    assert!(!format!("{created:?}").contains(&secret));
    let kept = database
        .read(|tx| {
            tx.all(
                "SELECT id || name || scopes, secret_sha256 FROM api_keys",
                &[],
                |row| Ok([row.get::<String>(0)?.into_bytes(), row.get(1)?].concat()),
            )
        })
        .await
        .unwrap();
    let [kept] = &kept[..] else {
        panic!("one key was made")
    };
    assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()));
}

#[tokio::test]
async fn another_secret_does_not_open() {
    let (keys, ..) = keys(10).await;
    let (one, other) = (
        keys.create(new("one"), None).await.unwrap(),
        keys.create(new("other"), None).await.unwrap(),
    );
    let mixed = one.text.expose_secret().replace(&one.key.id, &other.key.id);
    let unknown = one.text.expose_secret().replace(&one.key.id, "000000000000");
    for text in [mixed, unknown] {
        let refused = keys.prove(&Token::read(&text).unwrap()).err();
        assert_eq!(refused, Some(BadKey::Unknown));
    }
}

#[tokio::test]
async fn revoking_is_immediate_lasting_and_repeatable() {
    let (keys, database, clock) = keys(10).await;
    let created = keys.create(new("CI"), None).await.unwrap();
    let token = Token::read(created.text.expose_secret()).unwrap();
    let proved = keys.prove(&token).unwrap();
    clock.advance(SignedDuration::from_secs(5));
    let revoked = keys.revoke(&created.key.id, None).await.unwrap().unwrap();
    assert_eq!(revoked.state, KeyState::Revoked);
    assert!(proved.revoked.is_cancelled());
    assert_eq!(proof(&keys, &created), Err(BadKey::Revoked));
    clock.advance(SignedDuration::from_secs(5));
    assert_eq!(
        keys.revoke(&created.key.id, None).await.unwrap(),
        Some(revoked.clone())
    );
    let again = Keys::open(database, Arc::new(clock)).await.unwrap();
    assert_eq!(proof(&again, &created), Err(BadKey::Revoked));
    assert_eq!(again.list().await.unwrap(), [revoked]);
    assert_eq!(keys.revoke("000000000000", None).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_opens_until_it_expires() {
    let (keys, _, clock) = keys(10).await;
    let expires_at = Some(clock.now() + SignedDuration::from_mins(1));
    let created = keys
        .create(
            NewKey {
                expires_at,
                ..new("CI")
            },
            None,
        )
        .await
        .unwrap();
    assert!(keys.any_live());
    clock.advance(SignedDuration::new(59, 999_999_999));
    assert!(proof(&keys, &created).is_ok());
    clock.advance(SignedDuration::from_nanos(1));
    assert_eq!(proof(&keys, &created), Err(BadKey::Expired));
    assert_eq!(keys.list().await.unwrap()[0].state, KeyState::Expired);
    assert!(!keys.any_live());
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let (keys, _, clock) = keys(100).await;
    let field = async |new: NewKey| match keys.create(new, None).await {
        Ok(_) => None,
        Err(KeyError::Invalid { field, .. }) => Some(field),
        Err(error) => panic!("{error}"),
    };
    for (length, expected) in [(0, Some("name")), (1, None), (64, None), (65, Some("name"))] {
        assert_eq!(field(new(&"ä".repeat(length))).await, expected, "{length}");
    }
    assert_eq!(field(new("two\nlines")).await, Some("name"));
    let scopes = Vec::new();
    assert_eq!(
        field(NewKey {
            scopes,
            ..new("none")
        })
        .await,
        Some("scopes")
    );
    for (life, expected) in [
        (SignedDuration::ZERO, Some("expiresAt")),
        (SignedDuration::from_nanos(1), None),
        (MAX_LIFE, None),
        (MAX_LIFE + SignedDuration::from_nanos(1), Some("expiresAt")),
    ] {
        let expires_at = Some(clock.now() + life);
        assert_eq!(
            field(NewKey {
                expires_at,
                ..new("life")
            })
            .await,
            expected,
            "{life}"
        );
    }
}

#[tokio::test]
async fn keys_are_bounded_and_dead_ones_give_their_place() {
    let (keys, database, clock) = keys(3).await;
    let mut created = Vec::new();
    for name in ["1", "2", "3"] {
        created.push(keys.create(new(name), None).await.unwrap().key.id);
        clock.advance(SignedDuration::from_secs(1));
    }
    let error = keys.create(new("4"), None).await.unwrap_err();
    assert!(matches!(error, KeyError::TooMany(3)), "{error}");
    keys.revoke(&created[2], None).await.unwrap();
    keys.revoke(&created[1], None).await.unwrap();
    keys.create(new("4"), None).await.unwrap();
    let names = async |keys: &Keys| -> Vec<String> {
        let listed = keys.list().await.unwrap();
        listed.into_iter().map(|key| key.key.name).collect()
    };
    assert_eq!(names(&keys).await, ["4", "3", "1"]);
    let again = Keys::open(database, Arc::new(clock)).await.unwrap();
    assert_eq!(names(&again).await, ["4", "3", "1"]);
}

#[tokio::test]
async fn the_last_use_is_kept_to_the_minute() {
    let (keys, database, clock) = keys(10).await;
    let id = keys.create(new("CI"), None).await.unwrap().key.id;
    let commits = || database.stats().commits;
    let mut last = Vec::new();
    let before = commits();
    for seconds in [0, 59, 1] {
        clock.advance(SignedDuration::from_secs(seconds));
        keys.used(&id).await;
        last.push((
            keys.list().await.unwrap()[0]
                .key
                .last_used_at
                .unwrap()
                .to_string(),
            commits() - before,
        ));
    }
    assert_eq!(
        last,
        [
            (NOON.to_owned(), 1),
            (NOON.to_owned(), 1),
            ("2026-11-27T12:01:00Z".to_owned(), 2)
        ]
    );
    keys.used("000000000000").await;
    let again = Keys::open(database, Arc::new(clock)).await.unwrap();
    assert_eq!(again.list().await.unwrap(), keys.list().await.unwrap());
}

#[tokio::test]
async fn a_command_is_on_record_with_its_effect() {
    let (keys, database, clock) = keys(10).await;
    let by = |command| Some(Use::command(Scope::KeysWrite, command));
    let id = keys
        .create(new("CI"), by("tidings keys create"))
        .await
        .unwrap()
        .key
        .id;
    keys.revoke(&id, by("tidings keys revoke")).await.unwrap();
    keys.revoke("000000000000", by("tidings keys revoke"))
        .await
        .unwrap();
    let page = Audit::new(database, Arc::new(clock))
        .page(10, None)
        .await
        .unwrap();
    let told: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.route.as_str(), entry.target.as_str(), entry.key_id.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("tidings keys revoke", id.as_str(), "local"),
            ("tidings keys create", id.as_str(), "local")
        ]
    );
    assert_eq!(page.entries[0].scope, "keys:write");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn what_one_node_makes_and_revokes_the_others_know() {
    let place = tidings_store::test_postgres::TestPostgres::shared().options();
    let place = place.component(schema::MIGRATIONS);
    let clock = ManualClock::new(NOON.parse().unwrap());
    let node = async || {
        let database = Database::open(place.clone()).unwrap();
        Keys::open_with(database, Arc::new(clock.clone()), 2)
            .await
            .unwrap()
    };
    let (one, two) = (node().await, node().await);
    let created = one.create(new("CI"), None).await.unwrap();
    let token = Token::read(created.text.expose_secret()).unwrap();
    let proved = loop {
        match two.prove(&token) {
            Ok(proved) => break proved,
            Err(error) => assert_eq!(error, BadKey::Unknown),
        }
        // Time itself, the runtime's own: that the others look again and again is what is tested.
        tokio::time::sleep(LOOK_EVERY).await;
    };
    // A last use is no news, but is told to whoever asks.
    clock.advance(SignedDuration::from_secs(1));
    one.used(&created.key.id).await;
    assert_eq!(two.list().await.unwrap(), one.list().await.unwrap());
    one.revoke(&created.key.id, None).await.unwrap();
    proved.revoked.cancelled().await;
    assert_eq!(proof(&two, &created), Err(BadKey::Revoked));
    // There is room for two, of whichever node.
    clock.advance(SignedDuration::from_secs(1));
    let second = two.create(new("second"), None).await.unwrap();
    let third = one.create(new("third"), None).await.unwrap();
    let ids: Vec<String> = two
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|key| key.key.id)
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&second.key.id) && ids.contains(&third.key.id));
    let error = two.create(new("fourth"), None).await.unwrap_err();
    assert!(matches!(error, KeyError::TooMany(2)), "{error}");
}
