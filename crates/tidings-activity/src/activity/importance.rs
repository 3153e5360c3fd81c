use crate::open_enum::open_enum;

open_enum! {
    /// How important an activity is.
    pub enum Importance {
        /// Low.
        Low = "low",
        /// Normal.
        Normal = "normal",
        /// High.
        High = "high",
    }
}
