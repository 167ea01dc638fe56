package console

// Terminal is for tests of what output becomes.
var Terminal = terminal

// Remembered is how many bytes the names take of those who failed to sign in.
func (c *Console) Remembered() (n int) {
	c.failures.mu.Lock()
	defer c.failures.mu.Unlock()
	for who := range c.failures.who {
		n += len(who)
	}
	return n
}
