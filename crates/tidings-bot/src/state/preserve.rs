//! Keeping what .NET bots write beside the values.

use serde_json::Value;

/// The member in which .NET bots note an object's class.
const TYPE_MARK: &str = "$type";

/// Copies the `$type` marks of `old` to the objects of `new` at the same places. They are never read, only
/// kept, so that a .NET bot that shares the document still understands it.
pub(super) fn keep_type_marks(old: &Value, new: &mut Value) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return;
    };
    if let Some(mark) = old.get(TYPE_MARK)
        && !new.contains_key(TYPE_MARK)
    {
        new.insert(TYPE_MARK.to_owned(), mark.clone());
    }
    for (name, value) in new {
        if let Some(old) = old.get(name) {
            keep_type_marks(old, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_stay_where_an_object_stays_an_object() {
        let old = json!({"$type": "A", "in": {"$type": "B", "n": 1}, "gone": {"$type": "C"}, "list": [{"$type": "D"}]});
        let mut new = json!({"in": {"n": 2}, "list": [{"x": 1}], "gone": 7});
        keep_type_marks(&old, &mut new);
        assert_eq!(
            new,
            json!({"$type": "A", "in": {"$type": "B", "n": 2}, "list": [{"x": 1}], "gone": 7})
        );
        let mut own = json!({"$type": "New"});
        keep_type_marks(&old, &mut own);
        assert_eq!(own, json!({"$type": "New"}));
    }
}
