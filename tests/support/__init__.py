"""What tests share: worlds, stubs and recordings. CONTRIBUTING.md says which world serves which kind of test."""
