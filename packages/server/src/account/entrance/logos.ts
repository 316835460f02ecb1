import { publicError } from '#errors';
import { newDoor, type Door } from '#http';
import type { Pages } from '#pages';
import { pageErrors } from '../desk.ts';

/** The file of a logo by its name; undefined when there is none. */
export type FindLogo = (name: string) => Promise<{ type: string; bytes: Uint8Array } | undefined>;

/** Logos of apps, from our own origin: a page that asks for consent loads nothing from anywhere else. */
export function createLogoDoor({ pages, findLogo }: { pages: Pages; findLogo: FindLogo }): Door {
  const door = newDoor(pageErrors(pages));
  door.get('/logos/:name', async (context) => {
    const name = context.req.param('name');
    const logo = await findLogo(name);
    if (logo === undefined) throw publicError('not_found', { description: 'There is no such logo.' });
    return context.body(new Uint8Array(logo.bytes), 200, {
      'content-type': logo.type,
      // The name is made of the content: another logo has another name.
      'cache-control': 'public, max-age=31536000, immutable',
      'content-disposition': `inline; filename="${name}"`,
      // Opened by itself it is a picture and nothing more, whatever else its bytes might be read as.
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    });
  });
  return door;
}
