package main

import (
	"runtime"
	"sync"
)

// others is the memory that a server's other work goes through between two requests, for each processor: more than
// its caches hold.
const others = 32 << 20

// A chiller empties the processors' caches, which in a tight loop would hold all of the small database, but
// never what a page of the large one needs: a server does other things between two requests.
type chiller struct{ rooms [][]byte }

func newChiller() *chiller {
	c := &chiller{}
	for range runtime.GOMAXPROCS(0) {
		c.rooms = append(c.rooms, make([]byte, others))
	}
	return c
}

// chill goes through all of the memory, on all processors at once; nothing with a nil chiller.
func (c *chiller) chill() {
	if c == nil {
		return
	}
	var all sync.WaitGroup
	for _, room := range c.rooms {
		all.Go(func() {
			for i := 0; i < len(room); i += 64 {
				room[i]++
			}
		})
	}
	all.Wait()
}
