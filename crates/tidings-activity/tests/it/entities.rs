use serde_json::json;
use tidings_activity::{
    Activity, ActivityTreatment, ClientInfo, Entity, GeoCoordinates, Mention, Place, ProductInfo, StreamInfo,
    StreamType, Thing, Treatment,
};

fn entity(json: serde_json::Value) -> Entity {
    serde_json::from_value(json).expect("an entity")
}

#[test]
fn each_known_type_has_a_view() {
    let place = entity(json!({
        "type": "Place", "name": "Office", "address": "1 Quay St", "hasMap": {"url": "m"},
        "geo": {"type": "GeoCoordinates", "latitude": 38.5, "longitude": -28, "elevation": 2},
    }));
    let place: Place = place.view().expect("a place");
    assert_eq!(place.name.as_deref(), Some("Office"));
    assert_eq!(
        place
            .address
            .as_ref()
            .and_then(|address| address.as_str())
            .as_deref(),
        Some("1 Quay St")
    );
    let coordinates = place.coordinates().expect("coordinates");
    assert_eq!(
        (coordinates.latitude, coordinates.longitude),
        (Some(38.5), Some(-28.0))
    );

    let geo: GeoCoordinates = entity(json!({"type": "geocoordinates", "latitude": 1}))
        .view()
        .expect("coordinates");
    assert_eq!((geo.latitude, geo.longitude), (Some(1.0), None));

    let info: ClientInfo = entity(json!({"type": "clientInfo", "country": "PT"}))
        .view()
        .expect("client info");
    assert_eq!(info.country.as_deref(), Some("PT"));

    let stream = json!({"type": "streaminfo", "streamId": "s", "streamSequence": 3, "streamType": "final"});
    let stream: StreamInfo = entity(stream).view().expect("stream info");
    assert_eq!(
        stream.stream_sequence.and_then(|sequence| sequence.as_i64()),
        Some(3)
    );
    assert_eq!(stream.stream_type, Some(StreamType::Final));

    let product: ProductInfo = entity(json!({"type": "ProductInfo", "id": "COPILOT"}))
        .view()
        .expect("product info");
    assert_eq!(product.id.as_deref(), Some("COPILOT"));

    let treatment = json!({"type": "activityTreatment", "treatment": "targeted"});
    let treatment: ActivityTreatment = entity(treatment).view().expect("a treatment");
    assert_eq!(treatment.treatment, Some(Treatment::Targeted));

    let thing: Thing = entity(json!({"type": "Thing", "name": "Lamp", "colour": "red"}))
        .view()
        .expect("a thing");
    assert_eq!(thing.name.as_deref(), Some("Lamp"));
    assert_eq!(
        thing.extras.len(),
        1,
        "what the view has no field for, without the type"
    );
}

#[test]
fn another_type_or_a_wrong_field_gives_none() {
    assert_eq!(entity(json!({"type": "Place"})).view::<Thing>(), None);
    assert_eq!(entity(json!({"name": "x"})).view::<Thing>(), None);
    assert_eq!(entity(json!({"type": "Thing", "name": 5})).view::<Thing>(), None);
    assert_eq!(
        entity(json!({"type": "GeoCoordinates", "latitude": "north"})).view::<GeoCoordinates>(),
        None
    );
    assert_eq!(Activity::typing().entity::<Mention>(), None);
}

#[test]
fn a_view_becomes_an_entity() {
    let info = ClientInfo {
        locale: Some("pt".to_owned()),
        ..ClientInfo::default()
    };
    let activity = Activity::message("x").with_entity(info.clone());
    assert_eq!(
        serde_json::to_string(&activity).expect("encodes"),
        r#"{"type":"message","text":"x","entities":[{"type":"clientInfo","locale":"pt"}]}"#,
    );
    assert_eq!(activity.entity::<ClientInfo>(), Some(info));
}
