use std::collections::BTreeSet;

use super::*;
use crate::reason::{CloseReason, DeadReason, RefusedReason};
use crate::unknown_policy::UnknownPolicy;

const PAGE: &str = include_str!("../../../../docs/state-machine.md");

#[test]
fn states_and_transitions_read_back_as_they_are_spelled() {
    for state in DeliveryState::ALL {
        assert_eq!(DeliveryState::from_row(state.as_str()), Some(state));
        assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
    }
    assert_eq!(DeliveryState::from_row("Sending"), None);
    let words: BTreeSet<_> = Transition::ALL.into_iter().map(Transition::as_str).collect();
    assert_eq!(words.len(), Transition::ALL.len());
}

#[test]
fn a_transition_leads_to_one_state_and_an_ended_delivery_goes_nowhere() {
    let from: BTreeSet<_> = TRANSITIONS
        .iter()
        .filter_map(|(from, by, _)| from.map(|from| (from, by.as_str())))
        .collect();
    let not_accepting = TRANSITIONS.iter().filter(|(from, ..)| from.is_some());
    assert_eq!(from.len(), not_accepting.count());
    for state in DeliveryState::ALL {
        let leads_on = Transition::ALL.iter().any(|by| state.after(*by).is_some());
        assert_eq!(leads_on, !state.is_final(), "{state}");
    }
    assert_eq!(Available.after(Claim), Some(Sending));
    assert_eq!(Sending.after(Cancel), None);
    assert_eq!(Available.after(Accept), None);
}

#[test]
fn every_state_can_be_reached_and_every_open_one_can_end() {
    let mut reached = BTreeSet::new();
    loop {
        let before = reached.len();
        for (from, _, to) in TRANSITIONS {
            if from.is_none_or(|from| reached.contains(&from)) {
                reached.insert(*to);
            }
        }
        if reached.len() == before {
            break;
        }
    }
    assert_eq!(reached, BTreeSet::from(DeliveryState::ALL));
    for state in DeliveryState::ALL.into_iter().filter(|state| !state.is_final()) {
        let ends = Transition::ALL
            .iter()
            .any(|by| state.after(*by).is_some_and(DeliveryState::is_final));
        assert!(ends, "{state}");
    }
}

/// The lines of the diagram: from, to, label.
fn diagram() -> impl Iterator<Item = (&'static str, &'static str, Option<&'static str>)> {
    let (_, rest) = PAGE.split_once("```mermaid\nstateDiagram-v2\n").unwrap();
    let (drawing, _) = rest.split_once("```").unwrap();
    drawing.lines().filter(|line| line.contains("-->")).map(|line| {
        let (from, rest) = line.trim().split_once(" --> ").unwrap();
        match rest.split_once(": ") {
            Some((to, label)) => (from, to, Some(label)),
            None => (from, rest, None),
        }
    })
}

#[test]
fn the_diagram_draws_exactly_the_table() {
    let mut drawn = Vec::new();
    for (from, to, label) in diagram() {
        if to == "[*]" {
            let ended = DeliveryState::from_row(from).unwrap();
            assert!(ended.is_final() && label.is_none(), "{from} --> {to}");
            continue;
        }
        let label = label.unwrap_or_else(|| panic!("{from} --> {to} has no label"));
        drawn.push(format!("{from} --> {to}: {label}"));
    }
    let mut table: Vec<_> = TRANSITIONS
        .iter()
        .map(|(from, by, to)| {
            let from = from.map_or("[*]", DeliveryState::as_str);
            format!("{from} --> {to}: {by}")
        })
        .collect();
    drawn.sort_unstable();
    table.sort_unstable();
    assert_eq!(drawn, table);
    let ends = diagram().filter(|(_, to, _)| *to == "[*]").count();
    assert_eq!(
        ends,
        DeliveryState::ALL.iter().filter(|state| state.is_final()).count()
    );
}

#[test]
fn the_page_has_a_sentence_for_each_state_transition_and_reason() {
    let explains = |word: &str| PAGE.contains(&format!("\n| `{word}` | "));
    for state in DeliveryState::ALL {
        assert!(explains(state.as_str()), "{state}");
    }
    for transition in Transition::ALL {
        assert!(explains(transition.as_str()), "{transition}");
    }
    let says = |word: &str, sentence: &str| {
        assert!(
            PAGE.contains(&format!("\n| `{word}` | {sentence} |\n")),
            "| `{word}` | {sentence} |"
        );
    };
    for reason in DeadReason::ALL {
        says(reason.as_str(), reason.sentence());
    }
    for reason in RefusedReason::ALL {
        says(reason.as_str(), reason.sentence());
    }
    for reason in CloseReason::ALL {
        says(reason.as_str(), reason.sentence());
    }
    for policy in UnknownPolicy::ALL {
        says(policy.as_str(), policy.sentence());
    }
}
