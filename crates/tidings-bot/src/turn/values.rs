//! What middleware and handlers tell each other within a turn.

use std::any::{Any, TypeId};

/// At most one value of each type. A turn has few, so a list is quicker than a map and costs nothing when
/// empty.
#[derive(Default)]
pub(crate) struct TurnValues {
    values: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

impl TurnValues {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        match self.get_mut::<T>() {
            Some(place) => *place = value,
            None => self.values.push((TypeId::of::<T>(), Box::new(value))),
        }
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let (_, value) = self.values.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_ref()
    }

    pub(crate) fn get_mut<T: Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        let (_, value) = self.values.iter_mut().find(|(id, _)| *id == TypeId::of::<T>())?;
        value.downcast_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_each_type() {
        let mut values = TurnValues::default();
        values.insert(1_u8);
        values.insert(2_u8);
        values.insert("text");
        *values.get_mut::<u8>().unwrap() += 1;
        assert_eq!(values.get::<u8>(), Some(&3));
        assert_eq!(values.get::<&str>(), Some(&"text"));
        assert_eq!(values.get::<u16>(), None);
    }
}
