//! Doubly linked lists of keys, in which each key stands at most once, and in one list at most. What
//! policies keep in order, they keep in these.

/// No key.
pub(crate) const NONE: u32 = u32::MAX;

/// No list.
pub(crate) const NOWHERE: u8 = u8::MAX;

#[derive(Clone, Copy)]
struct Node {
    /// Towards the front.
    before: u32,
    /// Towards the back.
    after: u32,
    weight: u32,
    list: u8,
}

const FREE: Node = Node { before: NONE, after: NONE, weight: 0, list: NOWHERE };

#[derive(Clone, Copy)]
struct Ends {
    front: u32,
    back: u32,
    weight: u64,
}

/// Some lists over the keys from 0 on.
pub(crate) struct Lists<const N: usize> {
    nodes: Vec<Node>,
    ends: [Ends; N],
}

impl<const N: usize> Lists<N> {
    pub(crate) fn new() -> Self {
        Self { nodes: Vec::new(), ends: [Ends { front: NONE, back: NONE, weight: 0 }; N] }
    }

    /// The list that a key stands in, or [`NOWHERE`].
    pub(crate) fn list_of(&self, key: u32) -> u8 {
        self.nodes.get(key as usize).map_or(NOWHERE, |node| node.list)
    }

    /// What the keys of a list weigh.
    pub(crate) fn weight(&self, list: u8) -> u64 {
        self.ends[usize::from(list)].weight
    }

    /// The last key of a list, or [`NONE`].
    pub(crate) fn back(&self, list: u8) -> u32 {
        self.ends[usize::from(list)].back
    }

    /// The key before a key, towards the front, or [`NONE`].
    pub(crate) fn before(&self, key: u32) -> u32 {
        self.nodes[key as usize].before
    }

    /// Puts a key that stands nowhere at the front of a list.
    pub(crate) fn push_front(&mut self, list: u8, key: u32, weight: u32) {
        if self.nodes.len() <= key as usize {
            self.nodes.resize(key as usize + 1, FREE);
        }
        debug_assert_eq!(self.list_of(key), NOWHERE);
        let ends = &mut self.ends[usize::from(list)];
        let first = ends.front;
        ends.front = key;
        ends.weight += u64::from(weight);
        if first == NONE {
            ends.back = key;
        } else {
            self.nodes[first as usize].before = key;
        }
        self.nodes[key as usize] = Node { before: NONE, after: first, weight, list };
    }

    /// Takes a key out of the list that it stands in; what it weighed.
    pub(crate) fn remove(&mut self, key: u32) -> u32 {
        let Node { before, after, weight, list } = self.nodes[key as usize];
        let ends = &mut self.ends[usize::from(list)];
        ends.weight -= u64::from(weight);
        if before == NONE {
            ends.front = after;
        } else {
            self.nodes[before as usize].after = after;
        }
        let ends = &mut self.ends[usize::from(list)];
        if after == NONE {
            ends.back = before;
        } else {
            self.nodes[after as usize].before = before;
        }
        self.nodes[key as usize] = FREE;
        weight
    }

    /// Puts a key at the front of a list, wherever it stands.
    pub(crate) fn move_front(&mut self, list: u8, key: u32) {
        let weight = self.remove(key);
        self.push_front(list, key, weight);
    }

    /// The value of a key has another size now.
    pub(crate) fn reweigh(&mut self, key: u32, weight: u32) {
        let node = &mut self.nodes[key as usize];
        let ends = &mut self.ends[usize::from(node.list)];
        ends.weight = ends.weight - u64::from(node.weight) + u64::from(weight);
        node.weight = weight;
    }
}
