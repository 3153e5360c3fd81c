//! What is kept when the process is not.

use http::StatusCode;
use serde_json::json;
use tidings_store::{Database, ManualClock};

use crate::kit::{Site, lasting_place, texts};

#[tokio::test]
async fn conversations_history_tokens_and_files_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = lasting_place(folder.path());
    let open = || Database::open(place.clone()).unwrap();

    let clock = ManualClock::default();
    let mut site = Site::on(open(), clock.clone(), |_| ()).await;
    let chat = site.conversation().await;
    site.say(&chat, "run").await;
    site.answer(&chat, "We're starting job 1 for you.").await;
    let (_, watermark) = site.activities(&chat, "").await;
    let upload = json!({ "type": "text/plain", "name": "n.txt", "originalBase64": "aGVsbG8=" });
    let file = site
        .post(
            &format!("/v3/conversations/{}/attachments", chat.id),
            None,
            upload,
        )
        .await
        .ok();
    site.channel.close().await;
    site.database.close().await;
    drop(site);

    // The window is closed while the bot speaks.
    let mut site = Site::on(open(), clock.clone(), |_| ()).await;
    site.answer(&chat, "Job 1 is complete.").await;
    site.channel.close().await;
    site.database.close().await;
    drop(site);

    site = Site::on(open(), clock, |_| ()).await;
    let again = site
        .post("/v3/directline/conversations", Some(&chat.token), json!({}))
        .await;
    assert_eq!(
        again.status,
        StatusCode::OK,
        "the token is still good and its conversation known"
    );
    assert_eq!(
        texts(&site.activities(&chat, &watermark).await.0),
        ["Job 1 is complete."]
    );
    assert_eq!(site.channel.history(&chat.id).await.unwrap().unwrap().len(), 3);
    let view = format!("/v3/attachments/{}/views/original", file["id"].as_str().unwrap());
    assert_eq!(site.get(&view, None).await.bytes, b"hello");
    assert!(site.inbox.try_recv().is_err(), "the bot is not greeted again");
    assert_eq!(site.answer(&chat, "more").await, format!("{}|0000004", chat.id));
}
