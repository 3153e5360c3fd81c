use serde_json::json;
use tidings_activity::{
    AdaptiveCard, AnimationCard, Attachment, AudioCard, Card, CardAction, CardImage, Fact, HeroCard,
    OAuthCard, ReceiptCard, ReceiptItem, SigninCard, ThumbnailCard, ThumbnailUrl, VideoCard,
};

fn value(attachment: &Attachment) -> serde_json::Value {
    serde_json::to_value(attachment).expect("encodes")
}

#[test]
fn each_card_has_its_content_type() {
    fn assert_type<C: Card + Into<Attachment> + Default>(name: &str) {
        let attachment: Attachment = C::default().into();
        let expected = format!("application/vnd.microsoft.card.{name}");
        assert_eq!(attachment.content_type.as_deref(), Some(expected.as_str()));
        assert!(attachment.card::<C>().is_some());
    }
    assert_type::<AdaptiveCard>("adaptive");
    assert_type::<AnimationCard>("animation");
    assert_type::<AudioCard>("audio");
    assert_type::<HeroCard>("hero");
    assert_type::<OAuthCard>("oauth");
    assert_type::<ReceiptCard>("receipt");
    assert_type::<SigninCard>("signin");
    assert_type::<ThumbnailCard>("thumbnail");
    assert_type::<VideoCard>("video");
}

#[test]
fn a_hero_card_is_written_by_its_names() {
    let card = HeroCard {
        subtitle: Some("Status".to_owned()),
        images: Some(vec![CardImage::new("https://example.com/box.png", "A box")]),
        buttons: Some(vec![
            CardAction::im_back("Track", "track 12"),
            CardAction::post_back("Cancel", json!({"cancel": 12})),
            CardAction::message_back("Ask", "A question", json!(null)),
        ]),
        tap: Some(CardAction::open_url("Open", "https://example.com/12")),
        ..HeroCard::new("Order 12")
    };
    let expected = json!({
        "contentType": "application/vnd.microsoft.card.hero",
        "content": {
            "title": "Order 12", "subtitle": "Status",
            "images": [{"url": "https://example.com/box.png", "alt": "A box"}],
            "buttons": [
                {"type": "imBack", "title": "Track", "value": "track 12"},
                {"type": "postBack", "title": "Cancel", "value": {"cancel": 12}},
                {"type": "messageBack", "title": "Ask", "displayText": "A question", "value": null},
            ],
            "tap": {"type": "openUrl", "title": "Open", "value": "https://example.com/12"},
        },
    });
    assert_eq!(value(&card.into_attachment()), expected);
}

#[test]
fn a_receipt_counts_in_texts() {
    let card = ReceiptCard {
        facts: Some(vec![Fact::new("Order", "12")]),
        items: Some(vec![ReceiptItem {
            title: Some("Lamp".to_owned()),
            price: Some("9.00 EUR".to_owned()),
            quantity: Some("1".to_owned()),
            ..ReceiptItem::default()
        }]),
        total: Some("9.00 EUR".to_owned()),
        ..ReceiptCard::new("Receipt")
    };
    let content = &value(&card.into_attachment())["content"];
    assert_eq!(
        content["items"][0],
        json!({"title": "Lamp", "price": "9.00 EUR", "quantity": "1"})
    );
    assert_eq!(content["facts"][0], json!({"key": "Order", "value": "12"}));
}

#[test]
fn a_video_has_its_sources() {
    let card = VideoCard {
        image: Some(ThumbnailUrl::new("https://example.com/still.png", "A still")),
        autostart: Some(false),
        ..VideoCard::new("https://example.com/film.mp4")
    };
    let expected = json!({
        "image": {"url": "https://example.com/still.png", "alt": "A still"},
        "media": [{"url": "https://example.com/film.mp4"}],
        "autostart": false,
    });
    assert_eq!(value(&card.into_attachment())["content"], expected);
}

#[test]
fn what_is_no_such_card_is_none() {
    let hero: Attachment = HeroCard::new("x").into();
    assert!(hero.card::<ThumbnailCard>().is_none());
    let odd = Attachment::from_content("Application/vnd.microsoft.card.HERO", json!({"title": "x"}));
    assert_eq!(
        odd.card::<HeroCard>(),
        Some(HeroCard::new("x")),
        "media types ignore case"
    );
    assert!(
        Attachment::from_content(HeroCard::CONTENT_TYPE, json!({"title": 5}))
            .card::<HeroCard>()
            .is_none()
    );
    assert!(
        Attachment::from_url(HeroCard::CONTENT_TYPE, "https://example.com")
            .card::<HeroCard>()
            .is_none()
    );
    assert!(Attachment::default().card::<HeroCard>().is_none());
}
