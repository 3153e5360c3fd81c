use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidings_activity::{Activity, ChannelAccount};
use tidings_bot::{
    BotState, Error, ProcessError, Result, Router, Scope, Service, StateError, StateProperty,
    StatePropertyAccessor, TestAdapter, Text, TurnContext,
};
use tidings_store::{Document, MemoryStorage, Storage};

use crate::support::database;

const KEY: &str = "test/conversations/conversation";

type Store = Arc<dyn Storage>;

fn stores() -> [Store; 2] {
    [Arc::new(MemoryStorage::new()), Arc::new(database())]
}

fn user(store: &Store, bot: Router) -> TestAdapter {
    let storage = Arc::clone(store);
    TestAdapter::builder(bot)
        .set_up(|adapter| adapter.storage(Arc::clone(&storage)).service(storage))
        .build()
}

async fn stored(store: &Store, key: &str) -> Option<Value> {
    store
        .read_document(key)
        .await
        .unwrap()
        .map(|document| Value::Object(document.value))
}

async fn put(store: &Store, value: &Value) {
    store
        .write_document(KEY, Document::encode(value).unwrap())
        .await
        .unwrap();
}

async fn count(turn: &mut TurnContext, Text(scope): Text) -> Result<()> {
    let state = match scope.as_str() {
        "conversation" => BotState::conversation(),
        "user" => BotState::user(),
        "private" => BotState::private_conversation(),
        _ => BotState::custom("everywhere", |_| Ok("everywhere".to_owned())),
    };
    let visits = state.property::<u32>("visits");
    let now = visits.get_or_default(turn).await? + 1;
    visits.set(turn, &now).await?;
    turn.say(now.to_string()).await
}

#[tokio::test]
async fn each_scope_has_its_own_document() {
    for store in stores() {
        let ann = user(&store, Router::new().otherwise(count));
        let ben = |text: &str| Activity::message(text).with_from(ChannelAccount::new("ben", "Ben"));
        let elsewhere = ann.conversation("elsewhere");
        let by_ann = |text: &str| Activity::message(text).with_from(ChannelAccount::new("user", "User"));
        for (scope, ben_here, ann_elsewhere) in [
            ("conversation", "2", "1"),
            ("user", "1", "2"),
            ("private", "1", "1"),
            ("custom", "2", "3"),
        ] {
            ann.send(scope).await.unwrap().assert_reply("1");
            ann.send(ben(scope)).await.unwrap().assert_reply(ben_here);
            elsewhere
                .send(by_ann(scope))
                .await
                .unwrap()
                .assert_reply(ann_elsewhere);
        }
        for key in [
            KEY,
            "test/users/user",
            "test/users/ben",
            "test/conversations/conversation/users/user",
            "test/conversations/elsewhere/users/user",
            "everywhere",
        ] {
            assert!(stored(&store, key).await.is_some(), "{key}");
        }
    }
}

#[tokio::test]
async fn only_the_changed_property_is_touched() {
    async fn change(turn: &mut TurnContext) -> Result<()> {
        let profile = BotState::conversation().property::<Value>("profile");
        profile
            .set(turn, &json!({"name": "Ann", "address": {"city": "Bonn"}}))
            .await?;
        BotState::conversation()
            .property::<Value>("old")
            .delete(turn)
            .await
    }
    let before = json!({
        "$type": "State, Bot", "unknown": [1, null, {"x": 1.5}], "old": 1,
        "profile": {"$type": "Profile, Bot", "name": "?", "address": {"$type": "Address, Bot", "city": "?"}}
    });
    let after = json!({
        "$type": "State, Bot", "unknown": [1, null, {"x": 1.5}],
        "profile": {"$type": "Profile, Bot", "name": "Ann", "address": {"$type": "Address, Bot", "city": "Bonn"}}
    });
    for store in stores() {
        put(&store, &before).await;
        user(&store, Router::new().otherwise(change))
            .deliver("x")
            .await
            .unwrap();
        assert_eq!(stored(&store, KEY).await, Some(after.clone()));
    }
}

#[tokio::test]
async fn a_turn_sees_its_own_changes() {
    async fn handler(turn: &mut TurnContext) -> Result<()> {
        let property = BotState::conversation().property::<Option<u32>>("x");
        assert_eq!(property.get(turn).await?, None);
        assert_eq!(property.get_or(turn, Some(9)).await?, Some(9));
        assert_eq!(property.get(turn).await?, None, "reading stores no default");
        property.set(turn, &Some(1)).await?;
        assert_eq!(property.get(turn).await?, Some(Some(1)));
        property.set(turn, &None).await?;
        assert_eq!(property.get(turn).await?, None);
        property.set(turn, &Some(2)).await?;
        property.delete(turn).await?;
        assert_eq!(property.get(turn).await?, None);
        Ok(())
    }
    let [store, _] = stores();
    user(&store, Router::new().otherwise(handler))
        .deliver("x")
        .await
        .unwrap();
    assert_eq!(stored(&store, KEY).await, None);
}

#[tokio::test]
async fn clear_leaves_an_empty_document_and_delete_none() {
    async fn forget(turn: &mut TurnContext, Text(how): Text) -> Result<()> {
        if how == "clear" {
            BotState::conversation().clear(turn).await
        } else {
            BotState::conversation().delete(turn).await
        }
    }
    for store in stores() {
        let user = user(&store, Router::new().otherwise(forget));
        put(&store, &json!({"a": 1})).await;
        user.deliver("clear").await.unwrap();
        assert_eq!(stored(&store, KEY).await, Some(json!({})));
        put(&store, &json!({"a": 1})).await;
        user.deliver("delete").await.unwrap();
        assert_eq!(stored(&store, KEY).await, None);
    }
}

#[tokio::test]
async fn a_value_of_another_shape_is_an_error_that_names_it() {
    let [store, _] = stores();
    put(&store, &json!({"visits": "many"})).await;
    let error = user(&store, Router::new().otherwise(count))
        .deliver("conversation")
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("visits") && text.contains(KEY), "{text}");
}

/// Another node writes `theirs` into the document after this turn has read it.
async fn disturbed(turn: &mut TurnContext, Text(mine): Text, store: Service<Store>) -> Result<()> {
    let property = BotState::conversation().property::<u32>(&*mine);
    let now = property.get_or_default(turn).await?;
    property.set(turn, &(now + 1)).await?;
    let mut document = store.read_document(KEY).await?.unwrap_or_default();
    let theirs = document
        .value
        .get("theirs")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    document.value.insert("theirs".to_owned(), json!(theirs + 1));
    store.write_document(KEY, document).await?;
    turn.say("said").await
}

#[tokio::test]
async fn a_conflict_is_merged_by_property_and_the_handler_runs_once() {
    for store in stores() {
        let user = user(&store, Router::new().otherwise(disturbed));
        // At first there is no document, then there is one.
        user.send("mine").await.unwrap().assert_reply("said");
        assert_eq!(stored(&store, KEY).await, Some(json!({"mine": 1, "theirs": 1})));
        user.send("mine").await.unwrap().assert_reply("said");
        assert_eq!(stored(&store, KEY).await, Some(json!({"mine": 2, "theirs": 2})));
    }
}

#[tokio::test]
async fn the_same_property_on_both_sides_is_an_error_to_on_turn_error() {
    async fn apologise(turn: &mut TurnContext, error: Error) -> Result<()> {
        let Some(StateError::Conflict { key, property }) = error.downcast_ref() else {
            panic!("{error}")
        };
        turn.say(format!("{key} {property}")).await
    }
    for store in stores() {
        let user = user(
            &store,
            Router::new().otherwise(disturbed).on_turn_error(apologise),
        );
        user.send("theirs")
            .await
            .unwrap()
            .assert_replies(&["said", &format!("{KEY} theirs")]);
        assert_eq!(
            stored(&store, KEY).await,
            Some(json!({"theirs": 1})),
            "theirs was there first and stays"
        );
    }
}

#[tokio::test]
async fn a_turn_that_only_reads_never_conflicts() {
    async fn reads(turn: &mut TurnContext, store: Service<Store>) -> Result<()> {
        let seen = BotState::conversation()
            .property::<u32>("theirs")
            .get(turn)
            .await?;
        put(&store.0, &json!({"theirs": 2})).await;
        turn.say(format!("{seen:?}")).await
    }
    for store in stores() {
        put(&store, &json!({"theirs": 1})).await;
        user(&store, Router::new().otherwise(reads))
            .send("x")
            .await
            .unwrap()
            .assert_reply("Some(1)");
        assert_eq!(stored(&store, KEY).await, Some(json!({"theirs": 2})));
    }
}

/// Changes two documents; somebody else writes one of them meanwhile: the other property, or the same one.
async fn two_documents(turn: &mut TurnContext, Text(theirs): Text, store: Service<Store>) -> Result<()> {
    BotState::user().property("mine").set(turn, &1).await?;
    BotState::conversation().property("mine").set(turn, &1).await?;
    put(&store.0, &json!({theirs: 2})).await;
    Ok(())
}

#[tokio::test]
async fn of_two_documents_both_are_kept_or_none() {
    for store in stores() {
        let user = user(&store, Router::new().otherwise(two_documents));
        let error = user.deliver("mine").await.unwrap_err();
        assert!(
            matches!(&error, ProcessError::Turn(error) if error.is::<StateError>()),
            "{error}"
        );
        assert_eq!(stored(&store, KEY).await, Some(json!({"mine": 2})));
        assert_eq!(stored(&store, "test/users/user").await, None);

        store.delete(&[KEY]).await.unwrap();
        user.deliver("theirs").await.unwrap();
        assert_eq!(stored(&store, KEY).await, Some(json!({"theirs": 2, "mine": 1})));
        assert_eq!(stored(&store, "test/users/user").await, Some(json!({"mine": 1})));
    }
}

#[tokio::test]
async fn one_document_is_deleted_while_another_is_written() {
    async fn moves(turn: &mut TurnContext) -> Result<()> {
        BotState::user().property("mine").set(turn, &1).await?;
        BotState::conversation().delete(turn).await
    }
    for store in stores() {
        put(&store, &json!({"mine": 1})).await;
        user(&store, Router::new().otherwise(moves))
            .deliver("x")
            .await
            .unwrap();
        assert_eq!(stored(&store, KEY).await, None);
        assert_eq!(stored(&store, "test/users/user").await, Some(json!({"mine": 1})));
    }
}

#[tokio::test]
async fn deleting_what_others_changed_is_a_conflict_too() {
    async fn delete(turn: &mut TurnContext, store: Service<Store>) -> Result<()> {
        BotState::conversation().delete(turn).await?;
        let mut document = store.read_document(KEY).await?.unwrap();
        document.value.insert("new".to_owned(), json!(1));
        store.write_document(KEY, document).await?;
        Ok(())
    }
    for store in stores() {
        put(&store, &json!({"a": 1})).await;
        let error = user(&store, Router::new().otherwise(delete))
            .deliver("x")
            .await
            .unwrap_err();
        assert!(
            matches!(&error, ProcessError::Turn(error) if error.is::<StateError>()),
            "{error}"
        );
        assert_eq!(stored(&store, KEY).await, Some(json!({"a": 1, "new": 1})));
    }
}

#[tokio::test]
async fn what_others_delete_meanwhile_does_not_come_back() {
    async fn add(turn: &mut TurnContext, store: Service<Store>) -> Result<()> {
        BotState::conversation()
            .property::<u32>("mine")
            .set(turn, &1)
            .await?;
        Ok(store.delete(&[KEY]).await?)
    }
    for store in stores() {
        put(&store, &json!({"theirs": 1})).await;
        user(&store, Router::new().otherwise(add))
            .deliver("x")
            .await
            .unwrap();
        assert_eq!(stored(&store, KEY).await, Some(json!({"mine": 1})));
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Visits {
    count: u32,
}

impl StateProperty for Visits {
    const NAME: &'static str = "visits";
    const SCOPE: Scope = Scope::Custom("tenant");
}

async fn typed(turn: &mut TurnContext, visits: StatePropertyAccessor<Visits>) -> Result<()> {
    let mut now = visits.get_or_default(turn).await?;
    now.count += 1;
    visits.set(turn, &now).await?;
    turn.say(now.count.to_string()).await
}

#[tokio::test]
async fn an_accessor_is_an_extractor_also_for_custom_scopes() {
    let [store, _] = stores();
    let storage = Arc::clone(&store);
    let tenant = BotState::custom("tenant", |activity| {
        let text = activity.text.as_deref().ok_or_else(|| Error::msg("no text"))?;
        Ok(format!("tenants/{text}"))
    });
    let user = TestAdapter::builder(Router::new().otherwise(typed))
        .set_up(|a| a.storage(storage).state(tenant))
        .build();
    user.send("t1").await.unwrap().assert_reply("1");
    user.send("t1").await.unwrap().assert_reply("2");
    user.send("t2").await.unwrap().assert_reply("1");
    assert_eq!(
        stored(&store, "tenants/t1").await,
        Some(json!({"visits": {"count": 2}}))
    );

    let unregistered = TestAdapter::new(Router::new().otherwise(typed));
    assert!(
        unregistered
            .send("t1")
            .await
            .unwrap_err()
            .to_string()
            .contains("AdapterBuilder::state")
    );
}

#[tokio::test]
async fn a_thousand_turns_of_one_user_in_many_conversations_lose_nothing() {
    for store in stores() {
        let first = user(&store, Router::new().otherwise(count));
        let ann = || Activity::message("user").with_from(ChannelAccount::new("ann", "Ann"));
        // One after another in each of ten conversations, the ten at once: eTags decide between them.
        let conversations = (0..10).map(|number| {
            let window = first.conversation(&number.to_string());
            async move {
                let mut kept = 0;
                for _ in 0..100 {
                    kept += u32::from(window.deliver(ann()).await.is_ok());
                }
                kept
            }
        });
        let kept: u32 = futures_util::future::join_all(conversations)
            .await
            .into_iter()
            .sum();
        assert_eq!(
            stored(&store, "test/users/ann").await,
            Some(json!({"visits": kept})),
            "each turn counted or failed"
        );
    }
}
