use super::Activity;
use crate::account::ChannelAccount;
use crate::entity::{Entity, Mention};

/// No honest message mentions one account more often; each mention costs a search of the text.
const MAX_CUT: usize = 100;

impl Activity {
    /// Who is mentioned in the text.
    pub fn mentions(&self) -> Vec<Mention> {
        self.entities.iter().flatten().filter_map(Entity::view).collect()
    }

    /// Cuts the mention of the recipient, that is of the bot, out of the text, and trims it.
    ///
    /// For each mention of the recipient (the first hundred) the first occurrence of its text is cut, with the `<at>`
    /// tags around it. Returns the text as it then is; None when there is no text. The entities stay.
    ///
    /// ```
    /// use tidings_activity::{Activity, ChannelAccount, Mention};
    ///
    /// let bot = ChannelAccount::new("28:bot", "Tidings");
    /// let mut activity = Activity::message("<at>Tidings</at> run")
    ///     .with_recipient(bot.clone())
    ///     .with_entity(Mention::new(bot, "<at>Tidings</at>"));
    /// assert_eq!(activity.remove_recipient_mention().as_deref(), Some("run"));
    /// ```
    pub fn remove_recipient_mention(&mut self) -> Option<String> {
        let recipient = self
            .recipient
            .as_ref()
            .and_then(ChannelAccount::known_id)
            .map(str::to_owned);
        if let Some(recipient) = recipient {
            self.remove_mention(&recipient);
        }
        self.text.clone()
    }

    /// As [`remove_recipient_mention`](Self::remove_recipient_mention), for the account of this id.
    pub fn remove_mention(&mut self, id: &str) {
        let mentions = self.mentions();
        let Some(text) = &mut self.text else { return };
        let of_account = mentions.iter().filter(|mention| mention.id() == Some(id));
        let mut cut = false;
        for mention in of_account.take(MAX_CUT) {
            let found = mention.spellings().into_iter().flatten().find_map(|spelling| {
                let start = text.find(&spelling)?;
                Some(start..start + spelling.len())
            });
            if let Some(range) = found {
                text.replace_range(range, "");
                cut = true;
            }
        }
        if cut {
            *text = text.trim().to_owned();
        }
    }
}

impl Mention {
    fn id(&self) -> Option<&str> {
        self.mentioned.as_ref()?.known_id()
    }

    /// How the text may spell the mention, to be tried in this order: some channels tell its text without the tags.
    fn spellings(&self) -> [Option<String>; 3] {
        let text = self.text.as_deref().filter(|text| !text.is_empty());
        let name = self
            .mentioned
            .as_ref()
            .and_then(|mentioned| mentioned.name.as_deref());
        let name = name.filter(|name| !name.is_empty());
        let tagged = |inner: &str| format!("<at>{inner}</at>");
        [text.map(tagged), text.map(str::to_owned), name.map(tagged)]
    }
}
