use super::Activity;
use crate::entity::{Entity, Mention};

impl Activity {
    /// Who is mentioned in the text.
    pub fn mentions(&self) -> Vec<Mention> {
        self.entities.iter().flatten().filter_map(Entity::view).collect()
    }

    /// Cuts the mention of the recipient, that is of the bot, out of the text, and trims it.
    ///
    /// For each mention of the recipient the first occurrence of its text is cut, with the `<at>` tags around it.
    /// Returns the text as it then is; None when there is no text. The entities stay.
    pub fn remove_recipient_mention(&mut self) -> Option<String> {
        let recipient = self
            .recipient
            .as_ref()
            .and_then(|recipient| recipient.known_id())
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
        for mention in mentions {
            let Some(mentioned) = mention
                .mentioned
                .filter(|mentioned| mentioned.id.as_deref() == Some(id))
            else {
                continue;
            };
            let spelled = mention.text.unwrap_or_default();
            let name = mentioned.name.unwrap_or_default();
            let tagged = |inner: &str| {
                if inner.is_empty() {
                    String::new()
                } else {
                    format!("<at>{inner}</at>")
                }
            };
            let spellings = [tagged(&spelled), spelled, tagged(&name)];
            let found = spellings
                .iter()
                .filter(|spelling| !spelling.is_empty())
                .find_map(|spelling| {
                    let start = text.find(spelling.as_str())?;
                    Some(start..start + spelling.len())
                });
            if let Some(range) = found {
                text.replace_range(range, "");
                *text = text.trim().to_owned();
            }
        }
    }
}
