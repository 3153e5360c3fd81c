//! What the bot's handlers may ask for: one value of each type, registered when the adapter is built.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;

/// One value of each registered type, shared by all turns.
///
/// A service is a cheap handle (an `Arc`, a pool, a client): it is cloned out for each handler that asks for
/// it.
#[derive(Default)]
pub struct Services {
    by_type: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    names: Vec<&'static str>,
}

impl Services {
    /// No services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers `service`, in place of an earlier one of the same type.
    pub fn insert<T: Clone + Send + Sync + 'static>(&mut self, service: T) {
        if self
            .by_type
            .insert(TypeId::of::<T>(), Box::new(service))
            .is_none()
        {
            self.names.push(type_name::<T>());
        }
    }

    /// The service of type `T`, if one was registered.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<&T> {
        self.by_type
            .get(&TypeId::of::<T>())
            .and_then(|service| service.downcast_ref())
    }

    /// A clone of the service of type `T`.
    ///
    /// # Errors
    /// [`MissingService`] names the type when none was registered.
    pub fn require<T: Clone + Send + Sync + 'static>(&self) -> Result<T, MissingService> {
        self.get::<T>().cloned().ok_or(MissingService {
            type_name: type_name::<T>(),
        })
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.names).finish()
    }
}

/// A handler asked for a service that the adapter does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no service of type {type_name} is registered; add it with AdapterBuilder::service")]
pub struct MissingService {
    /// The Rust type asked for.
    pub type_name: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Numbered(u8);

    #[test]
    fn the_last_registration_of_a_type_is_found() {
        let mut services = Services::new();
        services.insert(Numbered(1));
        services.insert(Numbered(2));
        services.insert("text");
        assert_eq!(services.get::<Numbered>(), Some(&Numbered(2)));
        assert_eq!(services.require::<&str>(), Ok("text"));
    }

    #[test]
    fn a_missing_service_is_named() {
        let error = Services::new().require::<Numbered>().unwrap_err();
        assert!(error.to_string().contains("Numbered"), "{error}");
    }
}
