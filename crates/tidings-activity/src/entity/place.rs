use super::entity_view;
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// A place, as schema.org has it.
    pub struct Place {
        /// The name.
        pub name: Option<String> = "name",
        /// The address: a text or a `PostalAddress` object.
        pub address: Option<Raw> = "address",
        /// Where it is: a `GeoCoordinates` object or the like.
        pub geo: Option<Raw> = "geo",
        /// A map: a URL or a `Map` object.
        pub has_map: Option<Raw> = "hasMap",
    }
}

entity_view!(Place = "Place");

impl Place {
    /// Where it is, if that is given in coordinates.
    pub fn coordinates(&self) -> Option<GeoCoordinates> {
        self.geo.as_ref()?.parse().ok()
    }
}

wire! {
    /// A point on the globe, as schema.org has it.
    pub struct GeoCoordinates {
        /// The name.
        pub name: Option<String> = "name",
        /// Metres above sea level (WGS 84).
        pub elevation: Option<f64> = "elevation",
        /// Degrees north (WGS 84).
        pub latitude: Option<f64> = "latitude",
        /// Degrees east (WGS 84).
        pub longitude: Option<f64> = "longitude",
    }
}

entity_view!(GeoCoordinates = "GeoCoordinates");
