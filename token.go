package orderly

// maxToken is the length of a client token (rule CMD-3).
const maxToken = 64

// CheckClientToken finds what is wrong with the form of a client token (rule TOK-1); "" is none.
func CheckClientToken(token string) error {
	if len(token) > maxToken {
		return ClientTokenMalformed
	}
	for i := range len(token) {
		if c := token[i]; c < ' ' || c > '~' {
			return ClientTokenMalformed
		}
	}
	return nil
}
