// Citations into the caller's own documents, for the `[sim:cite]` marker.
import { isObject, type JsonObject } from './json.ts'
import { blocksOf, type MessagesRequest } from './request-types.ts'

const CITED_LENGTH = 60

export function planCitations(request: MessagesRequest): JsonObject[] | null {
  const documents = request.messages
    .flatMap((message) => blocksOf(message.content))
    .filter((block) => block.type === 'document')
  const citations = documents.map((document, index) => {
    const source = isObject(document['source']) ? document['source'] : {}
    const text = String(source['type'] === 'text' ? source['data'] : 'a page of the document')
    return {
      type: 'char_location',
      cited_text: text.slice(0, CITED_LENGTH),
      document_index: index,
      document_title: typeof document['title'] === 'string' ? document['title'] : null,
      start_char_index: 0,
      end_char_index: Math.min(CITED_LENGTH, text.length),
      file_id: null,
    }
  })
  return citations.length > 0 ? citations : null
}
