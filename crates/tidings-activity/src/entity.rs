mod client_info;
mod mention;
mod place;
mod product_info;
mod stream_info;
mod thing;
mod treatment;

pub use client_info::ClientInfo;
pub use mention::Mention;
pub use place::{GeoCoordinates, Place};
pub use product_info::ProductInfo;
pub use stream_info::{StreamInfo, StreamType};
pub use thing::Thing;
pub use treatment::{ActivityTreatment, Treatment};

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::raw::Raw;
use crate::wire::{Extras, wire};

wire! {
    /// Something that an activity is about. Bot Framework Activity spec: Entity.
    ///
    /// Everything but the type is in `extras`; [`view`](Self::view) reads it as [`Mention`], [`Place`] and the like.
    pub struct Entity {
        /// What sort of entity it is: `type` on the wire. Empty when the sender gave none.
        pub kind: String = "type",
    }
}

impl Entity {
    /// An entity of this type without properties.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// The entity as a `T`; None when it is of another type (whose case is ignored) or not well formed.
    ///
    /// ```
    /// use tidings_activity::{Entity, Mention, Place};
    ///
    /// let entity: Entity = serde_json::from_str(r#"{"type":"mention","text":"@Ana","mentioned":{"id":"a"}}"#)?;
    /// assert_eq!(entity.view::<Mention>().and_then(|mention| mention.text).as_deref(), Some("@Ana"));
    /// assert!(entity.view::<Place>().is_none());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn view<T: EntityView>(&self) -> Option<T> {
        if !self.kind.eq_ignore_ascii_case(T::KIND) {
            return None;
        }
        Raw::new(&Properties(&self.extras)).ok()?.parse().ok()
    }

    /// The entity of type `kind` with the properties of `view`.
    fn of<T: Serialize>(kind: &str, view: &T) -> Self {
        let mut entity = Self::new(kind);
        let properties: Self = Raw::new(view).and_then(|raw| raw.parse()).unwrap_or_default();
        for (name, value) in &properties.extras {
            entity.extras.insert(name, value.clone());
        }
        entity
    }
}

/// The properties of an entity without its type, as an object.
struct Properties<'a>(&'a Extras);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

/// An entity of a known type: [`Mention`], [`Place`] and the like.
pub trait EntityView: Serialize + DeserializeOwned {
    /// The type on the wire.
    const KIND: &'static str;
}

/// Declares that a wire struct is the view of an entity type.
macro_rules! entity_view {
    ($Name:ident = $kind:literal) => {
        impl $crate::entity::EntityView for $Name {
            const KIND: &'static str = $kind;
        }

        impl From<$Name> for $crate::entity::Entity {
            fn from(view: $Name) -> Self {
                Self::of($kind, &view)
            }
        }
    };
}

pub(crate) use entity_view;
