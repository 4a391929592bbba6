//! What the random bytes of every platform keep to.

use super::*;

#[test]
fn every_byte_is_filled_anew() {
    let (mut one, mut two) = ([0; 300], [0; 300]);
    fill(&mut one).unwrap();
    fill(&mut two).unwrap();
    assert_ne!(one, two);
    assert_ne!(one[268..], [0; 32]);
}
