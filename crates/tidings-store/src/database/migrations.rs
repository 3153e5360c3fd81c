use crate::OpenError;

/// The tables of one component of the program, version by version.
///
/// The versions a database has reached stand in it, by component. A database that holds a newer version, or a component
/// that this program does not have, is refused.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The component's name, such as `proactive`. It never changes.
    pub component: &'static str,
    /// SQL that takes the tables from version n to version n + 1; the first one creates them. Entries are only ever
    /// added: one that was released never changes. All run in one transaction, with foreign keys enforced.
    pub sqlite: &'static [&'static str],
    /// The same for PostgreSQL, which has versions of its own.
    pub postgres: &'static [&'static str],
}

impl Migrations {
    pub(super) fn latest_sqlite(&self) -> u32 {
        u32::try_from(self.sqlite.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn latest_postgres(&self) -> u32 {
        u32::try_from(self.postgres.len()).unwrap_or(u32::MAX)
    }
}

/// The tables of this crate.
const OWN: Migrations = Migrations {
    component: "store",
    postgres: &[super::documents::POSTGRES_TABLES],
    sqlite: &[super::documents::TABLES],
};

/// The components with this crate's own in front.
pub(super) fn with_own(components: Vec<Migrations>) -> Result<Vec<Migrations>, OpenError> {
    let mut all: Vec<Migrations> = vec![OWN];
    for component in components {
        if all.iter().any(|known| known.component == component.component) {
            return Err(OpenError::DuplicateComponent {
                component: component.component,
            });
        }
        all.push(component);
    }
    Ok(all)
}
