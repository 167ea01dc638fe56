package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
)

//go:embed static
var static embed.FS

// assets are the files that pages refer to. Their paths have the hash of all of them, so that browsers
// may keep them for good.
type assets struct {
	version string
	files   map[string]asset
}

type asset struct {
	kind         string
	plain, small []byte // small is gzip
}

var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}

// readAssets reads the embedded files; it panics when they cannot be read, which no running program can mend.
func readAssets() assets {
	entries, err := static.ReadDir("static")
	if err != nil {
		panic(err)
	}
	a, hash := assets{files: map[string]asset{}}, sha256.New()
	for _, e := range entries {
		text, err := static.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		hash.Write(text)
		a.files[e.Name()] = asset{kinds[path.Ext(e.Name())], text, compress(text)}
	}
	a.version = hex.EncodeToString(hash.Sum(nil))[:12]
	return a
}

// compress is text in gzip.
func compress(text []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text) // into memory
	_ = z.Close()
	return b.Bytes()
}

// path is where a browser finds a file.
func (a *assets) path(file string) string { return Root + "static/" + a.version + "/" + file }

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	secure(h)
	h.Set("Content-Type", f.kind)
	if r.PathValue("version") == a.version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.plain
	h.Set("Vary", "Accept-Encoding")
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.small
	}
	w.Write(body)
}
