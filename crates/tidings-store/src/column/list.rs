use super::{ColumnRef, ToColumn};

/// Many values for one parameter of a statement, so that it handles many rows at once. Only on PostgreSQL, where each
/// statement is a question over the network: `WHERE id = ANY(?1)`, `FROM unnest(?1, ?2) AS new (id, name)`.
///
/// ```
/// use tidings_store::{ColumnRef, List, params};
///
/// let people = [(1_i64, "Ana"), (2, "Bo")];
/// let ids: List<'_> = people.iter().map(|(id, _)| ColumnRef::Integer(*id)).collect();
/// let names: List<'_> = people.iter().map(|(_, name)| ColumnRef::Text(name)).collect();
/// let sql = "UPDATE people SET name = new.name FROM unnest(?1, ?2) AS new (id, name) WHERE people.id = new.id";
/// # let _ = sql;
/// assert_eq!(params![ids, names].len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct List<'a>(Vec<ColumnRef<'a>>);

impl<'a> FromIterator<ColumnRef<'a>> for List<'a> {
    fn from_iter<I: IntoIterator<Item = ColumnRef<'a>>>(values: I) -> List<'a> {
        List(values.into_iter().collect())
    }
}

impl ToColumn for List<'_> {
    fn to_column(&self) -> ColumnRef<'_> {
        ColumnRef::List(&self.0)
    }
}
