import { createRoot } from 'react-dom/client';

import { Page } from './page/Page';
import './styles/tokens.css';
import './styles/page.css';
import './styles/views.css';
import './styles/chat.css';
import './styles/jobs.css';
import './styles/deliveries.css';
import './styles/deliveries-table.css';
import './styles/timeline.css';
import './styles/access.css';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id "root"');
createRoot(root).render(<Page />);
