//! Consistent hashing with bounded loads: no node has much more to do than the mean (Mirrokni, Thorup
//! and Zadimoghaddam, "Consistent hashing with bounded loads", 2016).

/// Whether a node may take one more: it has `load` under way of `total`, of which `share` is its fair
/// part, and may have `bound` times that.
pub fn has_room(load: usize, total: usize, share: f64, bound: f64) -> bool {
    (load as f64) < (bound * (total + 1) as f64 * share).ceil()
}
