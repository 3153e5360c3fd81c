//! The macro that makes every wire struct, and what it stands on.
//!
//! A wire struct is a plain struct whose JSON names are matched in one `match`, plus `extras`, which remembers what
//! the struct has no place for: unknown properties, the order of all properties, and which known ones were `null`.
//! What was decoded is therefore encoded as the same JSON value, without a second parse and without `flatten`.

mod extras;
mod field;
mod key;

pub use extras::{Extras, ExtrasIter};
pub(crate) use extras::{Slots, UNKNOWN};
pub(crate) use field::{Field, Value, Written, value};
pub(crate) use key::{Key, KeySeed, KnownKey};

/// Declares a struct of the protocol: `field: Type = "jsonName"`.
///
/// The struct gets a public `extras` beside its fields, and `Clone`, `Debug` (set fields only), `Default`, `PartialEq`,
/// `Serialize` and `Deserialize`. Field types are `Option<T>` for nearly everything; see [`Field`] for the others.
macro_rules! wire {
    (
        $(#[$meta:meta])*
        pub struct $Name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident : $Type:ty = $json:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq)]
        pub struct $Name {
            $( $(#[$field_meta])* pub $field: $Type, )*
            /// Properties that have no field here, kept as they came, and the order of all properties.
            pub extras: $crate::wire::Extras,
        }

        const _: () = {
            use $crate::wire::{Field, Key, KeySeed, KnownKey, Slots, UNKNOWN, Written};

            #[derive(Clone, Copy)]
            #[expect(non_camel_case_types, reason = "the variants carry the names of the fields")]
            enum Known { $( $field, )* }

            impl Known {
                const COUNT: usize = [$( $json ),*].len();
            }

            const { assert!(Known::COUNT <= Slots::MAX_KNOWN) };

            impl KnownKey for Known {
                fn named(name: &str) -> Option<Self> {
                    match name {
                        $( $json => Some(Self::$field), )*
                        _ => None,
                    }
                }
            }

            struct Visitor;

            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = $Name;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str(concat!("an object (", stringify!($Name), ")"))
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$Name, A::Error> {
                    let mut object = $Name::default();
                    let mut slots = Slots::with_capacity(Known::COUNT);
                    while let Some(key) = map.next_key_seed(KeySeed::<Known>::new())? {
                        match key {
                            Key::Known(known) => {
                                let null = match known {
                                    $( Known::$field => Field::decode(&mut object.$field, &mut map)?, )*
                                };
                                slots.known(known as u8, null);
                            }
                            Key::Unknown(name) => slots.unknown(name, map.next_value()?),
                        }
                    }
                    $(
                        if <$Type as Field>::REQUIRED && !slots.has(Known::$field as u8) {
                            return Err(<A::Error as serde::de::Error>::missing_field($json));
                        }
                    )*
                    object.extras = slots.finish();
                    Ok(object)
                }
            }

            impl<'de> serde::Deserialize<'de> for $Name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_map(Visitor)
                }
            }

            impl serde::Serialize for $Name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    use serde::ser::SerializeMap;

                    let mut map = serializer.serialize_map(None)?;
                    let mut unknown = self.extras.unknown_for_encoding(|name| Known::named(name).is_some());
                    for &slot in self.extras.order() {
                        if slot == UNKNOWN {
                            if let Some((name, raw)) = unknown.next() {
                                map.serialize_entry(name, raw)?;
                            }
                            continue;
                        }
                        $(
                            if slot == Known::$field as u8 {
                                match self.$field.written(self.extras.was_null(slot)) {
                                    Written::Value => map.serialize_entry($json, &self.$field)?,
                                    Written::Null => map.serialize_entry($json, &())?,
                                    Written::Nothing => {}
                                }
                                continue;
                            }
                        )*
                    }
                    let decoded = self.extras.known();
                    $(
                        if decoded & (1 << Known::$field as u64) == 0 && self.$field.is_worth_building() {
                            map.serialize_entry($json, &self.$field)?;
                        }
                    )*
                    for (name, raw) in unknown {
                        map.serialize_entry(name, raw)?;
                    }
                    map.end()
                }
            }

            impl std::fmt::Debug for $Name {
                fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    let mut debug = formatter.debug_struct(stringify!($Name));
                    $(
                        if self.$field.is_worth_building() {
                            debug.field(stringify!($field), &self.$field);
                        }
                    )*
                    if !self.extras.is_empty() {
                        debug.field("extras", &self.extras);
                    }
                    debug.finish()
                }
            }

            $crate::wire::value!($Name);
        };
    };
}

pub(crate) use wire;
