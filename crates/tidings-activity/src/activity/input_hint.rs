use crate::open_enum::open_enum;

open_enum! {
    /// Whether a bot awaits input after what it says.
    pub enum InputHint {
        /// Input is welcome.
        AcceptingInput = "acceptingInput",
        /// Input will be ignored.
        IgnoringInput = "ignoringInput",
        /// Input is awaited.
        ExpectingInput = "expectingInput",
    }
}
