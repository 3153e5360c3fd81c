use crate::open_enum::open_enum;

open_enum! {
    /// What an `installationUpdate` or `contactRelationUpdate` tells: the field `action`.
    pub enum UpdateAction {
        /// Added.
        Add = "add",
        /// Removed.
        Remove = "remove",
        /// Teams: added by an upgrade.
        AddUpgrade = "add-upgrade",
        /// Teams: removed by an upgrade.
        RemoveUpgrade = "remove-upgrade",
    }
}
