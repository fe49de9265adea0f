//! One participant in one room, shared by its egresses (D8).
