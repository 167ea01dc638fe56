// Package stage sets up what a story needs: the two programs as they are shipped, a server on
// either database, agents that registered as any machine does. All are processes of their own,
// which a story may kill, end and start again where they were; those that are left when a test
// ends are ended then, and the logs of a test that failed are shown.
//
//	func TestMain(m *testing.M) { os.Exit(stage.Main(m)) }
//
//	s := stage.Open(t, stage.Options{Database: stage.PostgreSQL, Scale: 10})
//	a := s.Agent("web-1")  // registered, running, welcomed by the server
//	s.API.RunCommand(...)  // the project's own client; the vendor's take s.Endpoint, s.KeyID, s.Secret
//	a.Kill()               // kill -9
//	a.Start()              // again, with what it had on disk
//	s.Kill()
//	s.Start()              // same addresses, same files; a runs on and comes back by itself
//
// What does not happen in its time fails the test: no function here returns an error.
package stage
