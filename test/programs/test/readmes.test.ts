import { describePages } from '../src/describe-pages.js';
import { pages } from '../src/markdown.js';

describePages(pages.filter((page) => !page.startsWith('docs/')));
